"""The table of processes: which the stack has, in which order they start, and what each is told."""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from shim_common.embedded.account import store_account
from shim_common.embedded.binaries import postgres_version, valkey_version
from shim_common.embedded.cluster_place import locate_cluster
from shim_common.embedded.postgres import embedded_postgres
from shim_common.embedded.program import Program, until
from shim_common.embedded.run_folder import choose_run_folder
from shim_common.embedded.valkey import embedded_valkey
from shim_stack.own_stores import check_database, check_redis, without_password
from shim_stack.ports import require_free
from shim_stack.probe import answers
from shim_stack.record import RunRecord
from shim_stack.runner import Plan
from shim_stack.settings import StackSettings, stack_settings


@dataclass(frozen=True)
class Store:
    """A store of the stack: its address, the program if it is ours, and what to say about it."""

    url: str
    version: str
    program: Program | None = None
    data: Path | None = None
    note: str | None = None


async def make_plan(last: RunRecord, environ: Mapping[str, str] = os.environ) -> Plan:
    """The whole stack as the environment wants it.

    Raises BadConfiguration, PortTaken, and what the embedded stores raise.
    """
    settings = stack_settings(environ, last)
    require_free(settings.host, settings.port)
    own_postgres, own_redis = await _own_postgres(settings), await _own_redis(settings)
    run_folder = choose_run_folder(settings.folder.path, store_account(), environ, last.run_folder)
    stores = {
        "postgres": own_postgres or await _embedded_postgres(settings, run_folder),
        "valkey": own_redis or _embedded_valkey(settings, run_folder),
    }
    ours = [store.program for store in stores.values() if store.program is not None]
    told = child_environment(environ, settings, run_folder, stores)
    return Plan(
        programs=[*ours, *_services(settings, told, after=tuple(program.name for program in ours))],
        run_folder=run_folder,
        port=settings.port,
        url=settings.url,
        data_folders={name: store.data for name, store in stores.items() if store.data is not None},
        versions={"shim": metadata.version("shim-stack"), "python": platform.python_version()}
        | {name: store.version for name, store in stores.items()},
        notes=[store.note for store in stores.values() if store.note is not None],
        confirm=lambda: until(lambda: answers(settings.url, "/readyz")),
    )


def child_environment(
    environ: Mapping[str, str], settings: StackSettings, run_folder: Path, stores: Mapping[str, Store]
) -> dict[str, str]:
    """What every process is told.

    Variables that are meant for a Postgres of the user's (PGPORT ...) are left out where it is ours: the driver
    would obey them.
    """
    ours = stores["postgres"].program is not None
    inherited = {name: value for name, value in environ.items() if not (ours and name.startswith("PG"))}
    return inherited | {
        "SHIM_HOME": str(settings.folder.path),
        "SHIM_RUN_DIR": str(run_folder),
        "DATABASE_URL": stores["postgres"].url,
        "REDIS_URL": stores["valkey"].url,
        "SHIM_BIND": f"{settings.host}:{settings.port}",
        "SHIM_CHECKPOINTER_URL": f"unix://{run_folder}/checkpointer.sock",
        "SHIM_SUPERVISOR_URL": f"unix://{run_folder}/supervisor.sock",
        "SHIM_MCP_URL": f"unix://{run_folder}/mcp.sock",
        "SHIM_URL": settings.url,
        "PYTHONUNBUFFERED": "1",
    }


async def _own_postgres(settings: StackSettings) -> Store | None:
    if settings.database_url is None:
        return None
    version = await check_database(settings.database_url)
    note = f"Postgres is yours (DATABASE_URL): {without_password(settings.database_url)}"
    return Store(settings.database_url, version, note=note)


async def _own_redis(settings: StackSettings) -> Store | None:
    if settings.redis_url is None:
        return None
    version = await check_redis(settings.redis_url)
    note = f"Redis is yours (REDIS_URL): {without_password(settings.redis_url)}"
    return Store(settings.redis_url, version, note=note)


async def _embedded_postgres(settings: StackSettings, run_folder: Path) -> Store:
    account = store_account()
    place = locate_cluster(settings.folder.path, account)
    server = await embedded_postgres(settings.folder.path, place.data, run_folder, account)
    return Store(server.url(), postgres_version(), server.program(), place.data, place.warning)


def _embedded_valkey(settings: StackSettings, run_folder: Path) -> Store:
    server = embedded_valkey(settings.folder.valkey, run_folder)
    return Store(server.url(), valkey_version(), server.program(), server.data)


def _services(settings: StackSettings, told: Mapping[str, str], after: tuple[str, ...]) -> list[Program]:
    """Our own processes; `after` are the stores that start with them."""
    checkpointer, supervisor, mcp = (told[f"SHIM_{name}_URL"] for name in ("CHECKPOINTER", "SUPERVISOR", "MCP"))
    if settings.split:
        services = [
            _python("checkpointer", told, "shim_checkpointer", listens=(checkpointer,), after=after),
            _python("supervisor", told, "shim_supervisor", listens=(supervisor,), after=after),
            _python("mcp", told, "shim_mcp", "serve", listens=(mcp,), after=after),
        ]
    else:
        listens = (checkpointer, supervisor, mcp)
        services = [_python("services", told, "shim_stack.services", listens=listens, after=after)]
    return [
        *services,
        _python("gateway", told, "shim_gateway", listens=(settings.url,), after=after),
        _python("agent", told, "shim_agent", after=("gateway",)),
    ]


def _python(
    name: str, told: Mapping[str, str], *module: str, listens: tuple[str, ...] = (), after: tuple[str, ...]
) -> Program:
    async def all_answer() -> bool:
        return all([await answers(address, "/healthz") for address in listens])

    # -P: nothing is imported from the working directory
    argv = [sys.executable, "-P", "-m", *module]
    return Program(name=name, argv=argv, env=told, ready=lambda: until(all_answer), after=after)
