import asyncio
import json
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from shim_agent.processes.exits import gone
from shim_agent.processes.identity import (
    find,
    find_recorded,
    is_alive,
    recorded_reference,
    reference,
)
from shim_agent.processes.records import ClientRecord, read_records
from shim_agent.processes.tools import ToolProcesses
from shim_common.contracts.sessions import ProcessRef

from .clients import StandIns, start_tick
from .eventually import eventually

NOBODY = 2**22 - 1
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def record(pid: int, *, start_tick: int | None = None, started_at: float | None = None) -> ClientRecord:
    return ClientRecord(pid, "s", start_tick, started_at)


def test_records_are_read_and_nothing_else_is(tmp_path: Path, stand_ins: StandIns) -> None:
    client = stand_ins.start()
    client.write_record(tmp_path, "s")
    folder = tmp_path / "sessions"
    credential = folder / f"{client.pid}.key"
    credential.mkdir()  # opening it would fail
    others = {"7.json": "{", "8.json": "[]", "9.json": '{"pid": 1, "sessionId": "x"}', "x.json": "{}", "010.json": "{}"}
    for name, text in others.items():
        (folder / name).write_text(text)
    (found,) = read_records(tmp_path)
    assert (found.pid, found.session, found.start_tick) == (client.pid, "s", int(start_tick(client.pid)))
    assert found.started_at == pytest.approx(client.process.create_time() + 0.4, abs=0.002)


def test_a_record_may_lack_everything_but_pid_and_session(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / "sessions" / "7.json").write_text(
        json.dumps({"pid": 7, "sessionId": "s", "procStart": "Thu Nov 20", "startedAt": None})
    )
    assert read_records(tmp_path) == [record(7)]
    assert read_records(tmp_path / "none") == []


def test_a_process_is_found_by_pid_and_creation_time(stand_ins: StandIns) -> None:
    client = stand_ins.start()
    ref = reference(client.process)
    assert find(ref, LONG_AGO) == client.process
    assert find(ProcessRef(pid=ref.pid, created=ref.created - 5), LONG_AGO) is None
    assert find(ProcessRef(pid=NOBODY, created=ref.created), LONG_AGO) is None


def test_a_pid_alone_means_a_process_that_existed_when_it_was_said(stand_ins: StandIns) -> None:
    client = stand_ins.start()
    pid_alone = ProcessRef(pid=client.pid, created=0)
    assert find(pid_alone, datetime.now(UTC)) == client.process
    assert find(pid_alone, datetime.now(UTC) - timedelta(minutes=1)) is None


@linux
def test_a_recorded_process_is_found_by_its_start_tick(stand_ins: StandIns) -> None:
    client = stand_ins.start()
    tick = int(start_tick(client.pid))
    assert find_recorded(record(client.pid, start_tick=tick)) == client.process
    assert find_recorded(record(client.pid, start_tick=tick + 1, started_at=time.time())) is None
    ref = recorded_reference(record(client.pid, start_tick=tick))
    assert ref is not None
    assert find(ref, LONG_AGO) == client.process


def test_without_a_start_tick_the_clients_clock_must_fit(stand_ins: StandIns) -> None:
    client = stand_ins.start()
    created = client.process.create_time()
    assert find_recorded(record(client.pid, started_at=created + 0.5)) == client.process
    assert find_recorded(record(client.pid, started_at=created - 60)) is None
    assert find_recorded(record(client.pid, started_at=created + 3600)) is None


def test_an_unknown_age_proves_nothing(stand_ins: StandIns) -> None:
    client = stand_ins.start()
    assert find_recorded(record(client.pid)) is None
    assert recorded_reference(record(client.pid)) is None


async def test_the_end_of_a_process_is_seen_before_anyone_reaps_it(stand_ins: StandIns) -> None:
    client = stand_ins.start()
    waiting = asyncio.create_task(gone(client.process))
    await asyncio.sleep(0)
    assert not waiting.done()
    client.kill()
    await asyncio.wait_for(waiting, 2)
    assert not is_alive(client.process)
    assert client.process.status() == psutil.STATUS_ZOMBIE


async def test_a_process_that_is_gone_already_is_gone_at_once(stand_ins: StandIns) -> None:
    client = stand_ins.start()
    client.kill()
    client.popen.wait()
    await asyncio.wait_for(gone(client.process), 1)


async def test_tools_outlive_their_client(stand_ins: StandIns) -> None:
    client, tools = stand_ins.start(), ToolProcesses()
    seen = tools.look({client.process: "s"})["s"]
    assert [(tool.pid, tool.command) for tool in seen] == [(client.tool.pid, "sleep 300")]
    client.kill()
    await eventually(lambda: client.tool.ppid() != client.pid)
    assert tools.look({}, ["s"])["s"] == seen
    client.tool.kill()
    await eventually(lambda: not is_alive(client.tool))
    assert tools.look({}, ["s"])["s"] == []


async def test_tools_are_known_by_their_environment_too(stand_ins: StandIns) -> None:
    orphan = stand_ins.start({"CLAUDE_CODE_SESSION_ID": "s-env"})
    shim = stand_ins.start({"CLAUDE_CODE_SESSION_ID": "s-env", "SHIM_RUN_DIR": "/run"})
    found = {tool.pid for tool in ToolProcesses().look({}, ["s-env"])["s-env"]}
    assert {orphan.pid, orphan.tool.pid} <= found
    assert not {shim.pid, shim.tool.pid} & found


async def test_a_client_is_not_its_own_tool(stand_ins: StandIns) -> None:
    client = stand_ins.start({"CLAUDE_CODE_SESSION_ID": "s"})
    assert [tool.pid for tool in ToolProcesses().look({client.process: "s"})["s"]] == [client.tool.pid]
