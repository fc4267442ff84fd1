"""The order in which a recorded session happened, and the requests that it is sent in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from shim_cli.replay.recording import RecordedHook
from shim_common.contracts.base import JsonObject
from shim_transcripts import PlacedEntry, content_blocks

MAX_ENTRIES = 200
MAX_BYTES = 1024 * 1024
"""Bounds of one request: it is committed soon, and cheap to repeat."""


@dataclass(frozen=True)
class Batch:
    """Entries that are sent together, from bytes `start` to `end` of the transcript."""

    start: int
    end: int
    entries: tuple[PlacedEntry, ...]

    @property
    def at(self) -> datetime:
        """When the last of them was written."""
        return self.entries[-1].entry.at


Step = Batch | RecordedHook


def steps(entries: Iterable[PlacedEntry], hooks: Sequence[RecordedHook], cut: int | None = None) -> Iterator[Step]:
    """Yield batches and hooks in the order of time.

    A batch ends with each tool result, before a hook, at the bounds, and with the line that brings the `cut`-th entry.
    Entries of one line stay together, because a line is known by its bytes. Both files keep their own order: the times
    in a transcript may go back a little.
    """
    waiting = list(reversed(hooks))
    batch = _Growing()
    count = 0
    latest: datetime | None = None
    for _, line in groupby(entries, key=lambda placed: placed.end):
        together = list(line)
        latest = max(together[0].entry.at, latest or together[0].entry.at)
        if waiting and waiting[-1].at <= latest:
            yield from batch.cut()
            while waiting and waiting[-1].at <= latest:
                yield waiting.pop()
        batch.add(together)
        count += len(together)
        is_cut = cut is not None and count - len(together) < cut <= count
        if is_cut or batch.is_full() or any(has_result(placed.entry.body) for placed in together):
            yield from batch.cut()
    yield from batch.cut()
    yield from reversed(waiting)


def has_result(body: JsonObject) -> bool:
    """Tell whether a line brings a tool's result."""
    return any(block.get("type") == "tool_result" for block in content_blocks(body))


class _Growing:
    """A batch under way."""

    def __init__(self) -> None:
        self._start = 0
        self._entries: list[PlacedEntry] = []

    @property
    def end(self) -> int:
        return self._entries[-1].end if self._entries else self._start

    def add(self, line: Sequence[PlacedEntry]) -> None:
        self._entries += line

    def is_full(self) -> bool:
        return len(self._entries) >= MAX_ENTRIES or self.end - self._start >= MAX_BYTES

    def cut(self) -> Iterator[Batch]:
        if self._entries:
            yield Batch(self._start, self.end, tuple(self._entries))
            self._start, self._entries = self.end, []
