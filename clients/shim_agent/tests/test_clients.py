import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from shim_agent.connections import Connection
from shim_agent.gateway import Gateway
from shim_agent.processes.identity import reference
from shim_agent.processes.watch import ClientWatch
from shim_common.contracts.sessions import ProcessExit, ProcessRef, Session, SessionState
from shim_common.kernel.clock import SystemClock

from .clients import StandIns
from .conftest import FAST, folder_watch
from .eventually import eventually
from .fake_api import FakeApi
from .transcript import line, session_id

S = session_id()


@dataclass
class Watching:
    clients: ClientWatch
    alive: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)


@asynccontextmanager
async def watching(connection: Connection, gateway: Gateway, beat: float = 0.05) -> AsyncIterator[Watching]:
    alive: list[str] = []
    over: list[str] = []
    ended: list[str] = []

    async def on_gone(session: str) -> None:
        over.append(session)

    async def on_end(session: str, _gone: ProcessExit, told: Awaitable[Session | None]) -> None:
        ended.append(session)
        await told

    clients = ClientWatch(
        connection,
        gateway,
        folder_watch(connection.config_dir / "sessions", ".json", rescan=0.2),
        SystemClock(),
        FAST,
        beat_seconds=beat,
        on_alive=alive.append,
        on_gone=on_gone,
        on_end=on_end,
    )
    task = asyncio.create_task(clients.run())
    try:
        yield Watching(clients, alive, over, ended)
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error


async def test_a_living_client_beats(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    client, session = stand_ins.start(), api.open(S, "/p")
    client.write_record(config_dir, S)
    content = line(S)
    (config_dir / "projects" / "-p" / f"{S}.jsonl").write_bytes(content)
    async with watching(connection, gateway) as watch:
        await api.until(lambda: len(session.beats) >= 3)
        assert watch.alive == [S]
    beat = session.beats[-1]
    assert beat.process == reference(client.process)
    assert beat.transcript_bytes == len(content)
    assert beat.rss_bytes
    assert [tool.pid for tool in beat.tool_processes] == [client.tool.pid]


async def test_a_killed_client_is_told_at_once_with_what_outlived_it(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    client, session = stand_ins.start(), api.open(S, "/p")
    client.write_record(config_dir, S)
    async with watching(connection, gateway, beat=30) as watch:
        await api.until(lambda: session.beats)
        killed_at = datetime.now(UTC)
        client.kill()
        await api.until(lambda: session.exits)
        await eventually(lambda: watch.gone == [S])
        assert S not in watch.clients.sessions
    (end,) = session.exits
    assert end.process == session.beats[0].process
    assert end.observed_at - killed_at < timedelta(seconds=2)
    assert [tool.pid for tool in end.tool_processes] == [client.tool.pid]
    assert client.tool.is_running()


async def test_tools_are_told_of_until_the_last_has_ended(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    client, session = stand_ins.start(), api.open(S, "/p")
    client.write_record(config_dir, S)
    async with watching(connection, gateway):
        await api.until(lambda: session.beats and session.beats[-1].tool_processes)
        client.kill()
        await api.until(lambda: session.exits and session.beats[-1].process is None)
        assert [tool.pid for tool in session.beats[-1].tool_processes] == [client.tool.pid]
        client.tool.kill()
        await api.until(lambda: not session.beats[-1].tool_processes)
        count = len(session.beats)
        other = api.open(session_id(), "/p")
        stand_ins.start().write_record(config_dir, other.new.client_session_id)
        await api.until(lambda: len(other.beats) >= 3)
        assert len(session.beats) == count


async def test_an_exit_is_told_once_shim_is_back(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    client, session = stand_ins.start(), api.open(S, "/p")
    client.write_record(config_dir, S)
    verdicts = iter([503, "drop", 503])

    async def troubled(request: web.Request) -> str | int | None:
        return next(verdicts, None) if request.path.endswith("/exit") else None

    api.before = troubled
    async with watching(connection, gateway, beat=30) as watch:
        await api.until(lambda: session.beats)
        client.kill()
        await eventually(lambda: watch.gone == [S])
    assert len(session.exits) == 1


async def test_an_end_is_heard_of_while_shim_is_away(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    client, session = stand_ins.start(), api.open(S, "/p")
    client.write_record(config_dir, S)

    async def away(request: web.Request) -> str | int | None:
        return 503 if request.path.endswith("/exit") else None

    async with watching(connection, gateway, beat=30) as watch:
        await api.until(lambda: session.beats)
        api.before = away
        client.kill()
        await eventually(lambda: watch.ended == [S])
        assert watch.gone == []
        api.before = None
        await eventually(lambda: watch.gone == [S])


async def test_a_client_that_died_unwatched_is_known_by_its_record(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    client, session = stand_ins.start({"CLAUDE_CODE_SESSION_ID": S}), api.open(S, "/p")
    client.write_record(config_dir, S)
    ref = reference(client.process)
    client.kill()
    client.popen.wait()
    async with watching(connection, gateway) as watch:
        await eventually(lambda: watch.gone == [S])
    (end,) = session.exits
    assert end.process.pid == ref.pid
    assert abs(end.process.created - ref.created) < 0.05
    assert [tool.pid for tool in end.tool_processes] == [client.tool.pid]


async def test_old_records_of_sessions_that_are_over_or_unknown_say_nothing(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    over, unknown, elsewhere = session_id(), session_id(), session_id()
    ended = api.open(over, "/p")
    ended.state = SessionState.ENDED
    resumed = stand_ins.start()
    going_on = api.open(elsewhere, "/p", reference(resumed.process))
    for session in (over, unknown, elsewhere):
        dead = stand_ins.start()
        dead.write_record(config_dir, session)
        dead.kill()
        dead.popen.wait()
    async with watching(connection, gateway):
        await api.until(lambda: api.count("GET", f"/{over}") and api.count("GET", f"/{unknown}"))
        await api.until(lambda: api.count("GET", f"/{elsewhere}"))
        marker = stand_ins.start()
        session = api.open(S, "/p")
        marker.write_record(config_dir, S)
        await api.until(lambda: session.beats)
    assert not ended.exits
    assert not going_on.exits


async def test_what_hooks_told_is_believed_only_of_the_same_process(
    api: FakeApi, gateway: Gateway, connection: Connection, stand_ins: StandIns
) -> None:
    client, now = stand_ins.start(), datetime.now(UTC)
    ref = reference(client.process)
    wrong = api.open(session_id(), "/p", ProcessRef(pid=ref.pid, created=ref.created - 100))
    right = api.open(S, "/p", ProcessRef(pid=ref.pid, created=0))
    async with watching(connection, gateway) as watch:
        await eventually(lambda: watch.clients.is_running)
        await watch.clients.take_session(wrong.wire(), now)
        assert watch.alive == []
        await watch.clients.take_session(right.wire(), now)
        assert watch.alive == [S]
        await api.until(lambda: right.beats)
        client.kill()
        await api.until(lambda: right.exits)
    assert not wrong.exits


async def test_a_cleared_client_beats_for_its_new_session(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    other = session_id()
    client, first, second = stand_ins.start(), api.open(S, "/p"), api.open(other, "/p")
    client.write_record(config_dir, S)
    async with watching(connection, gateway) as watch:
        await api.until(lambda: first.beats)
        client.write_record(config_dir, other)
        await api.until(lambda: second.beats)
        assert watch.alive == [S, other]
        count = len(first.beats)
        await watch.clients.take_session(api.sessions[S].wire(), datetime(2026, 1, 1, tzinfo=UTC))
        await api.until(lambda: len(second.beats) >= 3)
        assert len(first.beats) <= count + 1
        client.kill()
        await api.until(lambda: second.exits)
    assert not first.exits


async def test_a_session_that_is_not_known_yet_is_no_error(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, stand_ins: StandIns
) -> None:
    client = stand_ins.start()
    client.write_record(config_dir, S)
    async with watching(connection, gateway) as watch:
        await api.until(lambda: api.count("POST", "/heartbeat") >= 2)
        session = api.open(S, "/p")
        await api.until(lambda: session.beats)
        assert watch.alive == [S]
