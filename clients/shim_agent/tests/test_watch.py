import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from shim_agent.watch import Changed, FolderWatch
from shim_common.kernel.clock import SystemClock

from .conftest import folder_watch
from .eventually import eventually


@asynccontextmanager
async def noted(watch: FolderWatch) -> AsyncIterator[list[Changed]]:
    """Everything that the watch tells of until the end of the block."""
    told: list[Changed] = []

    async def note() -> None:
        async with aclosing(watch.changes()) as changes:
            async for changed in changes:
                told.append(changed)  # noqa: PERF401 - seen one by one while it goes on

    task = asyncio.create_task(note())
    try:
        yield told
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_changed_files_are_told_and_others_are_not(tmp_path: Path) -> None:
    async with noted(folder_watch(tmp_path)) as told:
        await eventually(lambda: len(told) == 2)
        (tmp_path / "new").mkdir()
        (tmp_path / "other.txt").touch()
        (tmp_path / "a.jsonl").touch()
        await eventually(lambda: len(told) == 3)
        assert told == [None, None, frozenset({tmp_path / "a.jsonl"})]


async def test_nothing_is_told_before_the_folder_is_there(tmp_path: Path) -> None:
    folder = tmp_path / "later"
    async with noted(folder_watch(folder)) as told, noted(folder_watch(tmp_path)) as others:
        await eventually(lambda: len(others) == 2)
        assert told == []
        folder.mkdir()
        await eventually(lambda: told)
        (folder / "a.jsonl").touch()
        await eventually(lambda: len(told) >= 2)


async def test_a_folder_that_was_replaced_is_watched_anew(tmp_path: Path) -> None:
    folder = tmp_path / "projects"
    folder.mkdir()
    async with noted(folder_watch(folder, rescan=0.2)) as told:
        await eventually(lambda: len(told) == 2)
        folder.rename(tmp_path / "old")
        folder.mkdir()
        await eventually(lambda: told.count(None) >= 4)
        (folder / "a.jsonl").touch()
        await eventually(lambda: frozenset({folder / "a.jsonl"}) in told)


class Deaf(FolderWatch):
    """On a file system that cannot notify."""

    async def _notified(self) -> AsyncGenerator[Changed, None]:
        raise OSError("no watches left")
        yield None


async def test_without_notifications_everything_is_looked_at_again_and_again(tmp_path: Path) -> None:
    async with noted(Deaf(tmp_path, ".jsonl", rescan=5, poll=0.01, clock=SystemClock())) as told:
        await eventually(lambda: len(told) >= 4)
        assert set(told) == {None}
