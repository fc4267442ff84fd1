"""Cuts what was read into requests of a bounded size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from shim_common.contracts.sessions import EntryKind, NewEntry
from shim_transcripts import PlacedEntry

MAX_ENTRIES = 500
MAX_BYTES = 1024 * 1024
"""A request stays this small so that it is committed soon, and repeated cheaply."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes `start` to `end` of a file, and the entries that they hold."""

    start: int
    end: int
    entries: tuple[PlacedEntry, ...]


def batches(stretch: Stretch) -> Iterator[Stretch]:
    """Cut a stretch into pieces that tile it, each within the limits unless a single line is beyond them.

    Entries of one line stay together: the server knows lines by where they end.
    """
    start, size = stretch.start, 0
    pending: list[PlacedEntry] = []
    for end, line in groupby(stretch.entries, key=lambda placed: placed.end):
        entries = list(line)
        line_size = end - entries[0].offset
        if pending and (len(pending) + len(entries) > MAX_ENTRIES or size + line_size > MAX_BYTES):
            yield Stretch(start, pending[-1].end, tuple(pending))
            start, size, pending = pending[-1].end, 0, []
        pending += entries
        size += line_size
    yield Stretch(start, stretch.end, tuple(pending))


def halves(stretch: Stretch) -> tuple[Stretch, Stretch] | None:
    """Cut a stretch in two between lines; None where it holds one line only."""
    ends = sorted({placed.end for placed in stretch.entries})
    if len(ends) < 2:
        return None
    middle = ends[len(ends) // 2 - 1]
    return (
        Stretch(stretch.start, middle, tuple(one for one in stretch.entries if one.end <= middle)),
        Stretch(middle, stretch.end, tuple(one for one in stretch.entries if one.end > middle)),
    )


def new_entries(placed: Sequence[PlacedEntry]) -> list[NewEntry]:
    """Return the entries as the API takes them."""
    return [
        NewEntry(key=one.entry.key, kind=EntryKind(one.entry.kind), at=one.entry.at, body=one.entry.body)
        for one in placed
    ]
