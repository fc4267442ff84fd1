import asyncio
import gzip
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shim_agent.connections import CLAUDE_CODE, Connection
from shim_agent.gateway import Gateway
from shim_agent.transcripts.follow import TranscriptFollower
from shim_agent.watch import Changed, FolderWatch
from shim_common.contracts.sessions import NewEntry
from shim_common.kernel.clock import SystemClock
from shim_transcripts import EntryReader

from .conftest import FAST, folder_watch
from .eventually import eventually
from .fake_api import FakeApi, key_file
from .transcript import keys, line, noise, session_id, tool_use

S = session_id()


class ToldWatch(FolderWatch):
    """Changes that the test tells of."""

    def __init__(self) -> None:
        self._told: asyncio.Queue[Changed] = asyncio.Queue()

    def tell(self, changed: Changed = None) -> None:
        self._told.put_nowait(changed)

    async def changes(self) -> AsyncGenerator[Changed, None]:
        while True:
            yield await self._told.get()


@asynccontextmanager
async def following(
    connection: Connection, gateway: Gateway, watch: FolderWatch | None = None
) -> AsyncIterator[TranscriptFollower]:
    """A follower that runs until the end of the block, then is cancelled as at a kill."""
    watch = watch or folder_watch(connection.config_dir / "projects")
    follower = TranscriptFollower(connection, gateway, watch, SystemClock(), FAST)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
    finally:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            raise error


def transcript(config_dir: Path, session: str = S) -> Path:
    return config_dir / "projects" / "-p" / f"{session}.jsonl"


def stored(api: FakeApi, session: str = S) -> list[str]:
    return list(api.sessions[session].entries) if session in api.sessions else []


async def test_a_transcript_is_stored_as_it_grows(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    path = transcript(config_dir)
    content = b"".join(line(S, f"line {number}") for number in range(5))
    path.write_bytes(content)
    async with following(connection, gateway):
        await api.until(lambda: stored(api) == keys(content))
        for _ in range(3):
            more = line(S)
            content += more
            with path.open("ab") as file:
                file.write(more[:30])
                file.flush()
                file.write(more[30:])
            await api.until(lambda: stored(api) == keys(path.read_bytes()))
    session = api.sessions[S]
    assert session.new.project == "/p"
    assert session.new.client_version == "2.1.329"
    assert session.sources == {f"-p/{S}.jsonl": len(content)}
    bodies = [entry.body for entry in session.entries.values()]
    assert bodies == [placed.entry.body for placed in EntryReader().feed(content)]


async def test_subagents_belong_to_their_session(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    main, agent = line(S), line(S, isSidechain=True)
    transcript(config_dir).write_bytes(main)
    folder = config_dir / "projects" / "-p" / S / "subagents"
    folder.mkdir(parents=True)
    async with following(connection, gateway):
        await api.until(lambda: stored(api) == keys(main))
        (folder / "agent-7.jsonl").write_bytes(agent)
        await api.until(lambda: set(stored(api)) == set(keys(main) + keys(agent)))
    assert api.sessions[S].entries[keys(agent)[0]].body["isSidechain"] is True
    assert set(api.sessions[S].sources) == {f"-p/{S}.jsonl", f"-p/{S}/subagents/agent-7.jsonl"}


async def test_after_a_restart_only_new_bytes_are_sent(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    path = transcript(config_dir)
    content = b"".join(line(S) for _ in range(20))
    path.write_bytes(content)
    async with following(connection, gateway):
        await api.until(lambda: stored(api) == keys(content))
    content += line(S)
    path.write_bytes(content)
    async with following(connection, gateway) as follower:
        await api.until(lambda: stored(api) == keys(content))
        await eventually(lambda: follower.counts()[S]["appended"] == 1)
    assert api.sessions[S].sources == {f"-p/{S}.jsonl": len(content)}


async def test_what_was_written_before_the_connection_is_left_alone(
    api: FakeApi, gateway: Gateway, config_dir: Path
) -> None:
    old, new = session_id(), session_id()
    connection = Connection(client=CLAUDE_CODE, config_dir=config_dir, connected_at=datetime.now(UTC))
    for session in (old, new):
        transcript(config_dir, session).write_bytes(line(session))
    long_ago = (connection.connected_at - timedelta(days=1)).timestamp()
    os.utime(transcript(config_dir, old), (long_ago, long_ago))
    watch = ToldWatch()
    async with following(connection, gateway, watch) as follower:
        watch.tell()
        await api.until(lambda: len(stored(api, new)) == 1)
        assert old not in api.sessions
        follower.ask(old)
        watch.tell()
        await api.until(lambda: len(stored(api, old)) == 1)


async def test_shim_away_or_slow_loses_nothing_and_repeats_little(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    path = transcript(config_dir)
    content = b"".join(line(S, "x" * 1000) for _ in range(1500))
    path.write_bytes(content)
    verdicts = iter([503, "drop", None, 503, None, "drop", "drop"])

    async def troubled(_request: web.Request) -> str | int | None:
        await asyncio.sleep(0.005)
        return next(verdicts, None)

    api.before = troubled
    async with following(connection, gateway):
        await api.until(lambda: stored(api) == keys(content))
    assert api.count("POST", "/entries") < 20


async def test_shim_down_from_the_start(connection: Connection, config_dir: Path, home: Path) -> None:
    api = FakeApi()
    async with api.serve() as url:
        port = int(url.rpartition(":")[2])
    content = line(S)
    transcript(config_dir).write_bytes(content)
    async with (
        Gateway(url, home / "keys" / "agent.key") as gateway,
        following(connection, gateway) as follower,
    ):
        await eventually(lambda: S in follower.sessions)
        async with api.serve(port):
            await api.until(lambda: stored(api) == keys(content))


async def test_one_refused_line_costs_no_other(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    lines = [line(S, f"number {number}") for number in range(40)]
    bad = keys(lines[17])[0]

    def refuse(entry: NewEntry) -> int | None:
        return 422 if entry.key == bad else None

    api.refuse_entry = refuse
    transcript(config_dir).write_bytes(b"".join(lines))
    async with following(connection, gateway) as follower:
        await api.until(lambda: len(stored(api)) == 39)
        await api.until(lambda: api.sessions[S].sources.get(f"-p/{S}.jsonl") == len(b"".join(lines)))
        assert stored(api) == [key for one in lines for key in keys(one) if key != bad]
        await eventually(lambda: follower.counts()[S]["refused"] == 1)


async def test_a_refused_line_at_the_end_does_not_stop_the_next_start(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    first, bad, later = line(S), line(S), line(S)

    def refuse(entry: NewEntry) -> int | None:
        return 413 if entry.key == keys(bad)[0] else None

    api.refuse_entry = refuse
    path = transcript(config_dir)
    path.write_bytes(first + bad)
    async with following(connection, gateway):
        await api.until(lambda: S in api.sessions and api.sessions[S].sources == {f"-p/{S}.jsonl": len(first + bad)})
    path.write_bytes(first + bad + later)
    async with following(connection, gateway):
        await api.until(lambda: stored(api) == keys(first + later))


SHARED = Path(__file__).parents[4] / "shared" / "data" / "transcripts" / "many"


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real transcripts in ../shared")
async def test_real_transcripts_are_stored_whole(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    written = {}
    smallest = sorted(SHARED.glob("*.jsonl.gz"), key=lambda path: path.stat().st_size)[:12]
    for packed in smallest:
        session = session_id()
        written[session] = gzip.decompress(packed.read_bytes())
        transcript(config_dir, session).write_bytes(written[session])
    expected = {session: keys(content) for session, content in written.items()}
    followed = {session: wanted for session, wanted in expected.items() if wanted}
    assert followed
    async with following(connection, gateway):
        await api.until(lambda: all(stored(api, session) == wanted for session, wanted in followed.items()), 20)


async def test_a_line_over_the_body_limit_is_left_out_and_counted(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    big = line(S, "ü" * 8_000_000)  # 48 MB as escapes
    small, image = line(S), line(S, "x" * 15_900_000)
    transcript(config_dir).write_bytes(big + small + image)
    async with following(connection, gateway) as follower:
        await api.until(lambda: keys(small)[0] in stored(api), 20)
        await api.until(lambda: len(stored(api)) == 2, 20)
        assert follower.counts()[S]["damaged_too_long"] == 1


async def test_damage_is_counted_and_the_rest_is_kept(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    torn, good = line(S)[:50], line(S, "lone \ud800 and NUL \x00")
    transcript(config_dir).write_bytes(torn + b"\n" + b"\x00" * 100 + b"\n" + noise(S) + good)
    async with following(connection, gateway) as follower:
        await api.until(lambda: stored(api) == keys(good))
        counts = follower.counts()[S]
    assert (counts["damaged"], counts["skipped"], counts["repaired"]) == (2, 1, 2)


async def test_a_file_that_is_no_transcript_opens_no_session(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    other, real = session_id(), session_id()
    transcript(config_dir, other).write_text(json.dumps({"cwd": "/p", "type": "thread.started"}) + "\n")
    watch = ToldWatch()
    async with following(connection, gateway, watch):
        watch.tell()
        transcript(config_dir, real).write_bytes(line(real))
        watch.tell()
        await api.until(lambda: stored(api, real))
    assert list(api.sessions) == [real]


async def test_much_noise_moves_the_position_without_entries(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    first, last = line(S), line(S)
    content = first + b"".join(noise(S, 100_000) for _ in range(40)) + last
    transcript(config_dir).write_bytes(content)
    async with following(connection, gateway):
        await api.until(lambda: stored(api) == keys(first + last))
    assert api.sessions[S].sources == {f"-p/{S}.jsonl": len(content)}


async def test_a_session_that_was_removed_is_not_brought_back(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    path = transcript(config_dir)
    path.write_bytes(line(S))
    async with following(connection, gateway):
        await api.until(lambda: len(stored(api)) == 1)
        del api.sessions[S]
        later = line(S)
        with path.open("ab") as file:
            file.write(later)
        await api.until(lambda: stored(api) == keys(later))


async def test_growth_without_hooks_raises_the_alarm(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    hooked = session_id()
    api.open(hooked, "/p")
    for session in (S, hooked):
        transcript(config_dir, session).write_bytes(b"".join(line(session) for _ in range(12)))
    async with following(connection, gateway) as follower:
        await eventually(lambda: S in follower.sessions and follower.sessions[S].silence.alarming)
        await eventually(lambda: follower.counts()[hooked]["appended"] == 12)
        assert not follower.sessions[hooked].silence.alarming


async def test_the_files_that_tools_write_are_noted(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    names = ["/p/a", "/p/b", "/p/a"]
    transcript(config_dir).write_bytes(b"".join(tool_use(S, "Write", {"file_path": name}) for name in names))
    async with following(connection, gateway) as follower:
        await api.until(lambda: len(stored(api)) == 3)
        await eventually(lambda: list(follower.sessions[S].touched) == ["/p/b", "/p/a"])


async def test_a_dead_clients_last_line_is_taken_without_its_newline(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path
) -> None:
    first, last = line(S), line(S).rstrip()
    transcript(config_dir).write_bytes(first + last)
    async with following(connection, gateway) as follower:
        await api.until(lambda: stored(api) == keys(first))
        await follower.finish(S)
        assert stored(api) == keys(first + last + b"\n")


async def test_folders_that_come_later_are_noticed(api: FakeApi, gateway: Gateway, tmp_path: Path) -> None:
    config_dir = tmp_path / "later"
    connection = Connection(client=CLAUDE_CODE, config_dir=config_dir, connected_at=datetime(2020, 1, 1, tzinfo=UTC))
    async with following(connection, gateway):
        path = transcript(config_dir)
        path.parent.mkdir(parents=True)
        path.write_bytes(line(S))
        await api.until(lambda: len(stored(api)) == 1)


@pytest.mark.parametrize("when", ["running", "down"])
async def test_a_rewritten_file_is_read_from_its_start(
    api: FakeApi, gateway: Gateway, connection: Connection, config_dir: Path, when: str
) -> None:
    """Its new lines lie below the bytes that were stored, where the server takes everything for known."""
    path = transcript(config_dir)
    lines = [line(S) for _ in range(6)]
    others = [line(S) for _ in range(6)]
    rewritten = b"".join([*lines[:2], *others])
    path.write_bytes(b"".join(lines))
    async with following(connection, gateway):
        await api.until(lambda: len(stored(api)) == 6)
        if when == "running":
            path.write_bytes(rewritten)
            await api.until(lambda: len(stored(api)) == 12)
    path.write_bytes(rewritten)
    async with following(connection, gateway):
        await api.until(lambda: set(stored(api)) == set(keys(b"".join(lines) + rewritten)))
    more = rewritten + line(S)
    path.write_bytes(more)
    async with following(connection, gateway):
        await api.until(lambda: set(stored(api)) == set(keys(b"".join(lines) + more)))


GROWTH = st.one_of(
    st.tuples(st.just("append"), st.integers(1, 4)),
    st.tuples(st.just("torn"), st.integers(1, 200)),
    st.tuples(st.just("repeat"), st.integers(0, 5)),
    st.tuples(st.just("noise"), st.integers(1, 3)),
    st.tuples(st.just("settle"), st.just(0)),
    st.tuples(st.just("restart"), st.just(0)),
)
CHANGE = st.one_of(
    GROWTH,
    st.tuples(st.just("truncate"), st.integers(0, 2000)),
    st.tuples(st.just("replace"), st.integers(0, 3)),
)


class GrowingFile:
    """A transcript under all kinds of treatment, and what a reader of it must have seen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.ever: set[str] = set()
        self._pending = b""
        path.write_bytes(line(S))
        self.note()

    def note(self) -> None:
        self.ever |= set(keys(self.path.read_bytes()))

    def change(self, what: str, amount: int) -> None:
        content = self.path.read_bytes()
        match what:
            case "append":
                self._append(b"".join(line(S) for _ in range(amount)))
            case "torn":
                whole = line(S)
                self._append(whole[:amount])
                self._pending = whole[amount:]
            case "repeat":
                lines = content.splitlines(keepends=True)
                self._append(b"".join(lines[-amount:] if amount else []))
            case "noise":
                self._append(noise(S) * amount)
            case "truncate":
                os.truncate(self.path, min(amount, len(content)))
                self._pending = b""
            case "replace":
                other = self.path.with_suffix(".new")
                other.write_bytes(b"".join(line(S) for _ in range(amount)))
                other.replace(self.path)
                self._pending = b""
        self.note()

    def _append(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(self._pending + data)
        self._pending = b""


async def _treat(folder: Path, changes: list[tuple[str, int]], *, failing: bool) -> tuple[GrowingFile, FakeApi]:
    config_dir = folder / "claude"
    path = transcript(config_dir)
    path.parent.mkdir(parents=True)
    connection = Connection(client=CLAUDE_CODE, config_dir=config_dir, connected_at=datetime(2020, 1, 1, tzinfo=UTC))
    file, api = GrowingFile(path), FakeApi()
    count = 0

    async def every_third_fails(_request: web.Request) -> str | int | None:
        nonlocal count
        count += 1
        return {0: 503, 3: "drop"}.get(count % 6)

    api.before = every_third_fails if failing else None
    parts: list[list[tuple[str, int]]] = [[]]
    for change in changes:
        if change[0] == "restart":
            parts.append([])
        parts[-1].append(change)
    async with api.serve() as url, Gateway(url, key_file(folder)) as gateway:
        for part in parts:
            watch = ToldWatch()
            async with following(connection, gateway, watch):
                for what, amount in part:
                    file.change(what, amount)
                    watch.tell()
                    if what in ("settle", "restart"):
                        await _settled(api, file)
                watch.tell()
                await _settled(api, file)
    return file, api


async def _settled(api: FakeApi, file: GrowingFile) -> None:
    await api.until(lambda: set(keys(file.path.read_bytes())) <= set(stored(api)))


SLOW = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(st.lists(GROWTH, max_size=10), st.booleans())
def test_however_a_file_grows_the_server_has_it_in_order(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int]], failing: bool
) -> None:
    file, api = asyncio.run(_treat(tmp_path_factory.mktemp("growth"), changes, failing=failing))
    content = file.path.read_bytes()
    expected = {placed.entry.key: placed.entry.body for placed in EntryReader().feed(content)}
    assert {key: entry.body for key, entry in api.sessions[S].entries.items()} == expected
    assert stored(api) == list(expected)


@SLOW
@given(st.lists(CHANGE, max_size=10), st.booleans())
def test_however_a_file_is_treated_no_line_of_it_is_missing(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, int]], failing: bool
) -> None:
    file, api = asyncio.run(_treat(tmp_path_factory.mktemp("change"), changes, failing=failing))
    assert set(keys(file.path.read_bytes())) <= set(stored(api)) <= file.ever
