import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest
from aiohttp import web

from shim_agent.gateway import Gateway
from shim_agent.snapshots.projects import Projects
from shim_agent.snapshots.rules import Limits, TreeRefused
from shim_agent.snapshots.scan import Scanner
from shim_agent.snapshots.schedule import SnapshotScheduler
from shim_agent.snapshots.upload import MAX_CHANGES_IN_A_ROW, Uploader
from shim_common.contracts.sessions import SnapshotFiles
from shim_common.kernel.clock import SystemClock
from shim_common.kernel.errors import Conflict, Unavailable

from .conftest import FAST
from .eventually import eventually
from .fake_api import FakeApi
from .repositories import make_repository, write
from .transcript import session_id

S = session_id()


@pytest.fixture
def uploader(gateway: Gateway, project: Path) -> Uploader:
    return Uploader(gateway, Scanner(project, Limits()), SystemClock())


def newest(api: FakeApi) -> SnapshotFiles:
    return api.snapshots[api.sessions[S].snapshots[-1]]


def contents(api: FakeApi, manifest: SnapshotFiles) -> dict[str, bytes]:
    """What the server would give back; every content is there and is what its hash says."""
    assert all(sha256(content).hexdigest() == digest for digest, content in api.blobs.items())
    return {ref.path: api.blobs[ref.sha256] for ref in manifest.files}


async def test_the_first_snapshot_is_whole_and_the_next_a_difference(
    api: FakeApi, uploader: Uploader, project: Path
) -> None:
    session = api.open(S, str(project))
    commit = make_repository(project, {"a": "1\n", "b": "2\n", "gone": "3\n"})
    first = await uploader.take(S)
    assert contents(api, newest(api)) == {"a": b"1\n", "b": b"2\n", "gone": b"3\n"}
    write(project, {"b": "two\n", "new": "4\n"})
    (project / "gone").unlink()
    uploads = api.count("PUT", "")
    second = await uploader.take(S, touched=["b"])
    manifest = newest(api)
    assert contents(api, manifest) == {"a": b"1\n", "b": b"two\n", "new": b"4\n"}
    assert (manifest.commit, sorted(manifest.modified), manifest.staged) == (commit, ["b", "gone"], [])
    assert manifest.diff is not None
    assert b"+two" in api.blobs[manifest.diff]
    assert set(manifest.active) == {"b", "new", "gone"}
    assert sum(1 for method, _ in api.requests if method == "PUT") == 3 + 3
    assert uploads == 3
    assert session.snapshots == [first.id, second.id]


async def test_nothing_is_sent_while_nothing_changes(api: FakeApi, uploader: Uploader, project: Path) -> None:
    api.open(S, str(project))
    write(project, {"a": "1"})
    first = await uploader.take(S)
    before = len(api.requests)
    assert await uploader.take(S) == first
    assert len(api.requests) == before
    again = await uploader.take(S, even_unchanged=True)
    assert again.id != first.id
    assert contents(api, newest(api)) == {"a": b"1"}


async def test_changes_do_not_stand_on_one_another_without_end(api: FakeApi, uploader: Uploader, project: Path) -> None:
    api.open(S, str(project))
    bases = []

    async def note(request: web.Request) -> None:
        if request.path.endswith("/snapshots"):
            bases.append((await request.json())["base"])

    api.before = note
    for number in range(MAX_CHANGES_IN_A_ROW + 3):
        write(project, {"a": str(number), "b": "same"})
        await uploader.take(S)
    assert [number for number, base in enumerate(bases) if base is None] == [0, MAX_CHANGES_IN_A_ROW + 1]
    assert set(contents(api, newest(api))) == {"a", "b"}
    assert newest(api).active == ["a"]


async def test_a_base_that_is_no_longer_there_costs_only_a_longer_message(
    api: FakeApi, uploader: Uploader, project: Path
) -> None:
    api.open(S, str(project))
    write(project, {"a": "1", "b": "2"})
    await uploader.take(S)
    api.snapshots.clear()
    api.blobs.clear()
    write(project, {"b": "3"})
    await uploader.take(S)
    assert contents(api, newest(api)) == {"a": b"1", "b": b"3"}


async def test_what_changes_while_it_is_sent_is_stored_as_it_was_read(
    api: FakeApi, uploader: Uploader, project: Path
) -> None:
    api.open(S, str(project))
    write(project, {"changes": "before", "vanishes": "x", "grows": "y", "stays": "z"})

    async def meddle(request: web.Request) -> None:
        if request.path == "/v1/blobs/missing":
            write(project, {"changes": "after", "grows": "y" * 5000})
            (project / "vanishes").unlink(missing_ok=True)

    api.before = meddle
    await uploader.take(S)
    assert contents(api, newest(api)) == {"changes": b"after", "grows": b"y" * 5000, "stays": b"z"}
    assert {ref.path: ref.size for ref in newest(api).files} == {"changes": 5, "grows": 5000, "stays": 1}


async def test_a_file_that_grows_over_the_limit_meanwhile_is_named(
    api: FakeApi, gateway: Gateway, project: Path
) -> None:
    api.open(S, str(project))
    write(project, {"grows": "y", "stays": "z"})
    uploader = Uploader(gateway, Scanner(project, Limits(file_bytes=10)), SystemClock())

    async def meddle(request: web.Request) -> None:
        if request.path == "/v1/blobs/missing":
            write(project, {"grows": "y" * 50})

    api.before = meddle
    await uploader.take(S)
    assert list(contents(api, newest(api))) == ["stays"]
    assert "larger" in newest(api).skipped["grows"]


async def test_equal_contents_are_sent_once(api: FakeApi, uploader: Uploader, project: Path) -> None:
    api.open(S, str(project))
    write(project, {f"empty{number}": "" for number in range(50)})
    await uploader.take(S)
    assert len(newest(api).files) == 50
    assert sum(1 for method, _ in api.requests if method == "PUT") <= 4


async def test_shim_going_away_leaves_nothing_half_known(api: FakeApi, uploader: Uploader, project: Path) -> None:
    api.open(S, str(project))
    write(project, {f"f{number}": str(number) for number in range(10)})
    puts = 0

    async def third_upload_fails(request: web.Request) -> int | None:
        nonlocal puts
        puts += request.method == "PUT"
        return 503 if request.method == "PUT" and puts == 3 else None

    api.before = third_upload_fails
    with pytest.raises(Unavailable):
        await uploader.take(S)
    assert not api.snapshots
    api.before = None
    await uploader.take(S)
    assert len(contents(api, newest(api))) == 10


async def test_two_sessions_of_a_project_have_their_own_snapshots(
    api: FakeApi, uploader: Uploader, project: Path
) -> None:
    other = session_id()
    for session in (S, other):
        api.open(session, str(project))
    write(project, {"a": "1"})
    await uploader.take(S)
    await uploader.take(other)
    assert len(api.sessions[other].snapshots) == len(api.sessions[S].snapshots) == 1
    assert sum(1 for method, _ in api.requests if method == "PUT") == 1


async def test_only_real_projects_are_taken(api: FakeApi, gateway: Gateway, project: Path) -> None:
    projects = Projects(gateway, SystemClock(), Limits(files=1))
    with pytest.raises(TreeRefused, match="home folder"):
        await projects.take(Path.home(), S, [], [])
    write(project, {"a": "1", "b": "2"})
    with pytest.raises(TreeRefused, match="2 files"):
        await projects.take(project, S, [], [])
    assert api.requests == []


class Taken:
    """Notes what the scheduler takes; each take lasts until it is let go."""

    def __init__(self, outcomes: Iterable[Exception] = ()) -> None:
        self.calls: list[tuple[str, str]] = []
        self.flags: list[bool] = []
        self.times: list[float] = []
        self.running = 0
        self.most_at_once = 0
        self.let_go = asyncio.Semaphore(0)
        self._outcomes = iter(outcomes)

    async def __call__(self, project: str, session: str, even_unchanged: bool) -> None:
        self.calls.append((project, session))
        self.flags.append(even_unchanged)
        self.times.append(asyncio.get_running_loop().time())
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        try:
            await self.let_go.acquire()
            if error := next(self._outcomes, None):
                raise error
        finally:
            self.running -= 1


@asynccontextmanager
async def scheduling(taken: Taken, interval: float = 0.0) -> AsyncIterator[SnapshotScheduler]:
    scheduler = SnapshotScheduler(taken, interval, FAST)
    task = asyncio.create_task(scheduler.run())
    try:
        yield scheduler
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_requests_during_a_snapshot_are_joined_to_one() -> None:
    taken = Taken()
    async with scheduling(taken) as scheduler:
        scheduler.request("/p", "s")
        await eventually(lambda: taken.running)
        for _ in range(10):
            scheduler.request("/p", "s")
        scheduler.request("/p", "s", even_unchanged=True)
        scheduler.request("/p", "s")
        taken.let_go.release()
        await eventually(lambda: len(taken.calls) == 2)
        assert taken.flags == [False, True]
        taken.let_go.release()
        scheduler.request("/q", "s")
        await eventually(lambda: len(taken.calls) == 3)
    assert taken.calls == [("/p", "s"), ("/p", "s"), ("/q", "s")]


async def test_projects_do_not_wait_for_each_other_but_sessions_of_one_do() -> None:
    taken = Taken()
    async with scheduling(taken) as scheduler:
        for session in ("s", "t"):
            scheduler.request("/p", session)
        scheduler.request("/q", "u")
        await eventually(lambda: taken.running == 2)
        for _ in range(3):
            taken.let_go.release()
        await eventually(lambda: len(taken.calls) == 3)
    assert taken.most_at_once == 2


async def test_a_project_is_not_scanned_more_often_than_the_interval() -> None:
    taken = Taken()
    for _ in range(5):
        taken.let_go.release()
    async with scheduling(taken, interval=0.15) as scheduler:
        scheduler.request("/p", "s")
        await eventually(lambda: len(taken.calls) == 1)
        scheduler.request("/p", "s")
        await eventually(lambda: len(taken.calls) == 2)
    first, second = taken.times
    assert second - first >= 0.15 - 0.01  # loops round their timers


async def test_shim_away_is_waited_out_and_other_refusals_are_not() -> None:
    away, wrong = Unavailable("away"), Conflict("wrong")
    taken = Taken([away, away, wrong])
    for _ in range(9):
        taken.let_go.release()
    async with scheduling(taken) as scheduler:
        scheduler.request("/p", "s")
        await eventually(lambda: len(taken.calls) == 3)
        scheduler.request("/p", "t")
        await eventually(lambda: len(taken.calls) == 4)
    assert [session for _, session in taken.calls] == ["s", "s", "s", "t"]


async def test_a_refused_project_is_told_of_and_left_alone() -> None:
    taken = Taken([TreeRefused("too large")])
    for _ in range(9):
        taken.let_go.release()
    async with scheduling(taken) as scheduler:
        scheduler.request("/p", "s")
        await eventually(lambda: scheduler.refused)
        scheduler.request("/p", "s")
        scheduler.request("/q", "s")
        await eventually(lambda: len(taken.calls) == 2)
        assert dict(scheduler.refused) == {"/p": "too large"}
    assert taken.calls == [("/p", "s"), ("/q", "s")]
