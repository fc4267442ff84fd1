"""The composition root: the only place that picks adapters."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from starlette.types import ASGIApp

from shim_common import background
from shim_common.db import outbox
from shim_common.db.database import Database
from shim_common.db.schema import bring_up
from shim_common.kernel import secrets
from shim_common.kernel.clock import Clock, SystemClock
from shim_common.kernel.errors import Forbidden
from shim_common.kernel.ids import TimeOrderedIds
from shim_common.observability.metrics import instrument
from shim_common.web import problems
from shim_common.web.app import operation_id
from shim_common.web.tokens import TokenMaker
from shim_gateway.api import about, events, keys
from shim_gateway.api.door import Door
from shim_gateway.api.passing import Passing, Tokens
from shim_gateway.clients import Service
from shim_gateway.domain.keys import new_secret
from shim_gateway.domain.origins import Origins
from shim_gateway.metrics import Metrics
from shim_gateway.settings import SCHEMA, Settings
from shim_gateway.storage import PostgresStore
from shim_gateway.usecases.keys import BUILT_IN, Keys

INTERNAL_SECRET = "internal.secret"  # noqa: S105 - the name of a file
PEPPER = "pepper.secret"
SUPERVISOR_PATHS = ("/v1/watches", "/v1/incidents", "/v1/policies")
OWN_PATHS = ("/v1/keys", "/v1/audit", "/v1/version", "/v1/events/stream")


def create_app(settings: Settings, clock: Clock | None = None) -> ASGIApp:
    """Return the application; nothing is opened before it starts.

    Raises:
        Forbidden: it would be reachable from elsewhere without encryption, or the file of a key is open to others
            or holds no secret.
    """
    settings.check_exposure()
    clock = clock or SystemClock()
    database = Database(settings.database_url, SCHEMA)
    redis = Redis.from_url(settings.redis_url)
    checkpointer = Service("checkpointer", settings.checkpointer_url)
    supervisor = Service("supervisor", settings.supervisor_url)
    mcp = Service("mcp", settings.mcp_url)
    services = (checkpointer, supervisor, mcp)
    registry = CollectorRegistry()
    metrics = Metrics(registry, [service.name for service in services])
    tokens = Tokens(TokenMaker(secrets.read_or_make(settings.keys_dir / INTERNAL_SECRET), clock), clock)
    pepper = secrets.read_or_make(settings.keys_dir / PEPPER)
    built_in = {name: _read_or_make_key(settings.keys_dir, name) for name in BUILT_IN}
    all_keys = Keys(
        PostgresStore(database), clock, TimeOrderedIds(clock), pepper, partial(_write_key, settings.keys_dir)
    )
    hub = events.Hub(metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await bring_up(settings.database_url, SCHEMA, "shim_gateway")
        await database.open()
        async with AsyncExitStack() as stack:
            stack.push_async_callback(database.close)
            stack.push_async_callback(redis.aclose)
            for service in services:
                await service.open()
                stack.push_async_callback(service.close)
            for name, secret in built_in.items():
                await all_keys.admit(name, secret)
            async with database.connection() as connection:
                place = await outbox.newest(connection)
            await stack.enter_async_context(background.running("events", lambda: hub.run(redis, place)))
            yield

    own = FastAPI(
        title="SHIM",
        version=version("shim-gateway"),
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    problems.install(own)
    instrument(own, registry)
    own.include_router(keys.router(all_keys))
    own.include_router(events.router(hub, events.History(checkpointer, tokens)))
    own.include_router(about.router(about.Stack(services, (checkpointer, supervisor), database, registry, tokens, own)))
    return Door(
        Passing(own, OWN_PATHS, mcp, checkpointer, dict.fromkeys(SUPERVISOR_PATHS, supervisor), tokens, metrics),
        authenticate=all_keys.authenticate,
        origins=Origins(settings.port, settings.hosts),
        clock=clock,
        metrics=metrics,
        body_limit=settings.body_limit,
    )


def _read_or_make_key(folder: Path, name: str) -> str:
    path = folder / f"{name}.key"
    if not path.exists():
        secrets.write_private(path, new_secret(name).encode(), keep_existing=True)
    secret = secrets.read(path).decode().strip()
    if len(secret) < secrets.SECRET_BYTES:
        raise Forbidden(f"{path} holds no usable secret; delete it and start again", code="key_file_weak")
    return secret


def _write_key(folder: Path, name: str, secret: str) -> None:
    secrets.write_private(folder / f"{name}.key", secret.encode())
