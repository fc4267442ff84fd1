import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shim_agent.app import Agent
from shim_agent.connections import connect, connections_file, disconnect
from shim_agent.processes.identity import reference
from shim_agent.settings import AgentSettings
from shim_agent.status import AgentStatus, SessionStatus, read_status
from shim_common.contracts.sessions import ProcessRef
from shim_common.kernel.clock import SystemClock

from .clients import StandIns
from .eventually import eventually
from .fake_api import FakeApi
from .repositories import write
from .transcript import keys, line, session_id, tool_use

S = session_id()
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def transcript(config_dir: Path, session: str = S) -> Path:
    return config_dir / "projects" / "-p" / f"{session}.jsonl"


def stored(api: FakeApi) -> list[str]:
    return list(api.sessions[S].entries) if S in api.sessions else []


def status(home: Path) -> AgentStatus:
    found = read_status(home)
    assert found is not None
    return found


def reached(home: Path) -> bool:
    found = read_status(home)
    return found is not None and found.problem is None


def followed(home: Path) -> list[SessionStatus]:
    found = read_status(home)
    return [session for connection in found.connections for session in connection.sessions] if found else []


@asynccontextmanager
async def running(home: Path, url: str) -> AsyncIterator[None]:
    """The whole agent, quicker than usual, cancelled at the end as at SIGTERM."""
    settings = AgentSettings(
        home=home, url=url, beat_seconds=0.05, poll_seconds=0.02, rescan_seconds=0.3,
        snapshot_interval_seconds=0.01, retry_cap_seconds=0.05,
    )  # fmt: skip
    task = asyncio.create_task(Agent(settings, SystemClock()).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_nothing_is_looked_at_before_it_is_connected(
    api: FakeApi, home: Path, config_dir: Path, stand_ins: StandIns
) -> None:
    transcript(config_dir).write_bytes(line(S))
    stand_ins.start().write_record(config_dir, S)
    async with running(home, api.url):
        await eventually(lambda: reached(home))
        await api.emit("session.started", api.open(session_id(), "/p"))
        await api.until(lambda: any(path.startswith("/v1/sessions/") for _, path in api.requests))
        assert {path for _, path in api.requests} <= {"/v1/events/stream", "/v1/sessions/ses_1", "/v1/policies"}
        connect(home, "claude-code", config_dir, LONG_AGO)
        await api.until(lambda: S in api.sessions and api.sessions[S].entries and api.sessions[S].beats)
        disconnect(home, "claude-code", config_dir)
        await eventually(lambda: not status(home).connections)
        seen = len(api.sessions[S].beats)
        with transcript(config_dir).open("ab") as file:
            file.write(line(S))
        other = config_dir.with_name("other")
        shutil.copytree(config_dir, other)
        connect(home, "claude-code", other, LONG_AGO)
        await api.until(lambda: len(api.sessions[S].entries) == 2)
        assert len(api.sessions[S].beats) >= seen


async def test_a_checkpoint_is_followed_by_a_snapshot_of_the_project(
    api: FakeApi, home: Path, config_dir: Path, project: Path
) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    write(project, {"a.py": "1", "b.py": "2"})
    edit = tool_use(S, "Edit", {"file_path": str(project / "b.py")}, cwd=str(project))
    transcript(config_dir).write_bytes(edit)
    async with running(home, api.url):
        await api.until(lambda: S in api.sessions and api.sessions[S].entries)
        await eventually(lambda: reached(home))
        await api.emit("checkpoint.created", api.sessions[S])
        await api.until(lambda: api.snapshots)
        manifest = next(iter(api.snapshots.values()))
        assert {ref.path for ref in manifest.files} == {"a.py", "b.py"}
        assert manifest.active == ["b.py"]
        write(project, {"a.py": "changed by a shell command"})
        await api.emit("checkpoint.created", api.sessions[S])
        await api.until(lambda: len(api.snapshots) == 2)
        assert api.snapshots["snp_2"].active == ["a.py", "b.py"]


async def test_sessions_of_other_machines_are_left_alone(
    api: FakeApi, home: Path, config_dir: Path, project: Path
) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    transcript(config_dir).write_bytes(line(S, cwd=str(project)))
    elsewhere = api.open(session_id(), str(project), ProcessRef(pid=os.getpid(), created=1.0))
    async with running(home, api.url):
        await api.until(lambda: S in api.sessions and api.sessions[S].entries)
        for kind in ("session.started", "checkpoint.created"):
            await api.emit(kind, elsewhere)
        await api.emit("checkpoint.created", api.sessions[S])
        await api.until(lambda: api.sessions[S].snapshots)
    assert not elsewhere.snapshots
    assert not elsewhere.beats


async def test_a_crash_is_told_and_everything_it_left_is_kept(
    api: FakeApi, home: Path, config_dir: Path, project: Path, stand_ins: StandIns
) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    client = stand_ins.start()
    client.write_record(config_dir, S)
    first, last = line(S, cwd=str(project)), line(S, cwd=str(project))
    transcript(config_dir).write_bytes(first)
    write(project, {"a.py": "1"})
    async with running(home, api.url):
        await api.until(lambda: S in api.sessions and api.sessions[S].beats)
        await eventually(lambda: [one.pid for one in followed(home)] == [client.pid])
        with transcript(config_dir).open("ab") as file:
            file.write(last.rstrip())
        client.kill()
        await api.until(lambda: api.sessions[S].exits)
        await api.until(lambda: list(api.sessions[S].entries) == keys(first + last))
        await api.until(lambda: api.sessions[S].snapshots)
    assert [tool.pid for tool in api.sessions[S].exits[0].tool_processes] == [client.tool.pid]


async def test_a_session_that_hooks_opened_is_watched_from_its_start(
    api: FakeApi, home: Path, config_dir: Path, stand_ins: StandIns
) -> None:
    """Older clients keep no record of their process; the SessionStart hook tells of it."""
    connect(home, "claude-code", config_dir, LONG_AGO)
    client = stand_ins.start()
    async with running(home, api.url):
        await eventually(lambda: reached(home))
        await eventually(lambda: status(home).connections)
        session = api.open(S, "/p", reference(client.process))
        await api.emit("session.started", session)
        await api.until(lambda: session.beats)
        client.kill()
        await api.until(lambda: session.exits)


async def test_processes_of_sessions_that_were_there_first_are_found(
    api: FakeApi, home: Path, config_dir: Path, stand_ins: StandIns
) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    session = api.open(S, "/p", reference(stand_ins.start().process))
    transcript(config_dir).write_bytes(line(S))
    async with running(home, api.url):
        await api.until(lambda: session.beats)


async def test_the_status_says_how_it_stands_and_nothing_of_the_conversation(
    api: FakeApi, home: Path, config_dir: Path
) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    transcript(config_dir).write_bytes(b"damaged\n" + b"".join(line(S, "my secret plan") for _ in range(31)))
    broken = session_id()
    async with running(home, api.url):
        await api.until(lambda: S in api.sessions and api.sessions[S].entries)
        await api.emit("checkpoint.created", api.open(broken, "/"))
        await eventually(lambda: [one.hooks_missing for one in followed(home)] == [True])
        (session,) = followed(home)
        assert session.counts == {"lines": 32, "entries": 31, "damaged": 1, "damaged_not_json": 1, "appended": 31}
    assert "secret" not in (home / "agent-status.json").read_text()
    assert (home / "agent-status.json").stat().st_mode & 0o777 == 0o600


async def test_a_refused_project_is_in_the_status(api: FakeApi, home: Path, config_dir: Path) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    transcript(config_dir).write_bytes(line(S, cwd="/"))
    async with running(home, api.url):
        await api.until(lambda: S in api.sessions and api.sessions[S].entries)
        await eventually(lambda: reached(home))
        await api.emit("checkpoint.created", api.sessions[S])
        await eventually(lambda: "home folder" in status(home).refused_projects.get("/", ""))


async def test_an_unreadable_file_of_connections_changes_nothing(api: FakeApi, home: Path, config_dir: Path) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    async with running(home, api.url):
        await eventually(lambda: read_status(home) and status(home).connections)
        connections_file(home).write_text("{")
        transcript(config_dir).write_bytes(line(S))
        await api.until(lambda: S in api.sessions and api.sessions[S].entries)
        assert status(home).connections


async def test_shim_coming_and_going_is_survived(home: Path, config_dir: Path) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    api = FakeApi()
    async with api.serve() as url:
        port = int(url.rpartition(":")[2])
    async with running(home, url):
        await eventually(lambda: read_status(home) and status(home).problem)
        for _ in range(2):
            async with api.serve(port):
                with transcript(config_dir).open("ab") as file:
                    file.write(line(S))
                await api.until(lambda: stored(api) == keys(transcript(config_dir).read_bytes()))
                await eventually(lambda: reached(home))
            await eventually(lambda: status(home).problem)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_process_ends_when_it_is_told_to(
    api: FakeApi, home: Path, config_dir: Path, number: signal.Signals
) -> None:
    connect(home, "claude-code", config_dir, LONG_AGO)
    transcript(config_dir).write_bytes(line(S, "my secret plan"))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "shim_agent",
        env=os.environ | {"SHIM_HOME": str(home), "SHIM_URL": api.url},
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        await api.until(lambda: S in api.sessions and api.sessions[S].entries, 20)
        process.send_signal(number)
        _, printed = await asyncio.wait_for(process.communicate(), 5)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    logged = [json.loads(one) for one in printed.decode().splitlines()]
    assert "connected" in [one["event"] for one in logged]
    assert "secret" not in printed.decode()
