"""The table of the real stack: planned, not started."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from shim_common.embedded.account import store_account
from shim_stack.errors import PortTaken
from shim_stack.folder import DataFolder
from shim_stack.record import RunRecord
from shim_stack.runner import Plan
from shim_stack.table import make_plan


@pytest.fixture
def environ(folder: DataFolder, database_url: str, redis_url: str) -> dict[str, str]:
    folder.open()
    return {
        "SHIM_HOME": str(folder.path),
        "SHIM_BIND": f"127.0.0.1:{free_port()}",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PATH": os.environ["PATH"],
        "PGSSLMODE": "prefer",
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
async def plan(environ: dict[str, str]) -> Plan:
    return await made(environ)


async def made(environ: dict[str, str]) -> Plan:
    plan = await make_plan(RunRecord(), environ)
    if plan.run_folder.parent != Path(environ["SHIM_HOME"]):
        shutil.rmtree(plan.run_folder)
    return plan


def starts(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {program.name: tuple(program.after) for program in plan.programs}


async def test_stores_of_the_users_own_are_not_started(plan: Plan, environ: dict[str, str]) -> None:
    assert starts(plan) == {"services": (), "gateway": (), "agent": ("gateway",)}
    told = plan.programs[0].env
    assert told["DATABASE_URL"] == environ["DATABASE_URL"]
    assert told["REDIS_URL"] == environ["REDIS_URL"]
    assert told["PGSSLMODE"] == "prefer"
    assert [note.split()[0] for note in plan.notes] == ["Postgres", "Redis"]
    assert "shim:" not in " ".join(plan.notes)


async def test_split_is_one_process_a_service(environ: dict[str, str]) -> None:
    plan = await made(environ | {"SHIM_SPLIT": "1"})
    assert list(starts(plan)) == ["checkpointer", "supervisor", "mcp", "gateway", "agent"]


async def test_the_embedded_stores_start_first(environ: dict[str, str]) -> None:
    del environ["DATABASE_URL"], environ["REDIS_URL"]
    if not store_account().is_current:
        pytest.skip("as root the database would be planned outside the test's folder")
    plan = await made(environ)
    assert starts(plan)["services"] == ("postgres", "valkey")
    assert starts(plan)["gateway"] == ("postgres", "valkey")
    told = plan.programs[-1].env
    assert told["DATABASE_URL"].endswith(f"@/shim?host={plan.run_folder}")
    assert told["REDIS_URL"] == f"unix://{plan.run_folder}/valkey.sock"
    assert "PGSSLMODE" not in told


async def test_every_process_is_told_the_same(plan: Plan, environ: dict[str, str]) -> None:
    run_folder, url = plan.run_folder, plan.url
    for program in plan.programs:
        assert dict(program.env) | {
            "SHIM_HOME": environ["SHIM_HOME"],
            "SHIM_RUN_DIR": str(run_folder),
            "SHIM_BIND": environ["SHIM_BIND"],
            "SHIM_URL": url,
            "SHIM_CHECKPOINTER_URL": f"unix://{run_folder}/checkpointer.sock",
            "SHIM_SUPERVISOR_URL": f"unix://{run_folder}/supervisor.sock",
            "SHIM_MCP_URL": f"unix://{run_folder}/mcp.sock",
        } == dict(program.env)


async def test_a_taken_port_is_found_before_anything_is_started(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        environ["SHIM_BIND"] = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(PortTaken, match=f"pid {os.getpid()}"):
            await make_plan(RunRecord(), environ)
