"""Reads what is new in one growing file."""

import os
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from shim_agent.transcripts.batches import Stretch
from shim_transcripts import CLAUDE_CODE, Dialect, EntryReader, ReadReport
from shim_transcripts.entries import EPOCH

CHUNK = 1024 * 1024
"""Bytes read at once; nothing more is read before they are stored."""

_ANCHOR = 256
"""Bytes before the position that are compared to notice a rewrite; they hold a good part of the last line."""

_LOOK_BACK = 256 * 1024
"""Bytes before a stored position in which the last stored entry is looked for."""


class RewrittenError(Exception):
    """The file is not a continuation of what was read: it was truncated, replaced or overwritten."""


class FileCursor:
    """Where reading stands in a file that grows at its end.

    A rewrite is noticed by the file's size, its inode, or the bytes before the position. Bytes overwritten in
    place far before the end are not: no client does that.
    """

    def __init__(
        self, path: Path, position: int = 0, last_at: datetime = EPOCH, dialect: Dialect = CLAUDE_CODE
    ) -> None:
        self.path = path
        self._dialect = dialect
        self._reader = EntryReader(position, last_at, dialect=dialect)
        self._read_to = position
        self._inode: int | None = None
        self._anchor = b""
        self._finished = Counter[str]()

    @property
    def position(self) -> int:
        """Offset up to which whole lines were read."""
        return self._reader.position

    @property
    def counts(self) -> Counter[str]:
        """What was made of the lines since this cursor was made (see `ReadReport`)."""
        return self._finished + _counts(self._reader.report)

    def read(self) -> Stretch | None:
        """Return the next stretch; None at the end of the file.

        Raises:
            RewrittenError: make a new cursor and read from the start.
            OSError: the file cannot be read.
        """
        with self.path.open("rb") as file:
            self._check(file)
            file.seek(self._read_to)
            chunk = file.read(CHUNK)
        if not chunk:
            return None
        start = self._reader.position
        entries = self._reader.feed(chunk)
        self._read_to += len(chunk)
        self._anchor = (self._anchor + chunk)[-_ANCHOR:]
        return Stretch(start, self._reader.position, tuple(entries))

    def finish(self) -> Stretch | None:
        """Take a last line without its newline, once nobody writes the file any more; None where there is none."""
        start = self._reader.position
        entries = self._reader.finish()
        end = self._reader.position
        self._finished += _counts(self._reader.report)
        self._reader = EntryReader(end, self._reader.last_at, dialect=self._dialect)
        self._read_to, self._anchor = end, b""
        return Stretch(start, end, tuple(entries)) if end > start else None

    def _check(self, file: BinaryIO) -> None:
        stat = os.fstat(file.fileno())
        inode, self._inode = self._inode, stat.st_ino
        if stat.st_size < self._read_to or inode not in (None, stat.st_ino):
            raise RewrittenError
        file.seek(self._read_to - len(self._anchor))
        if file.read(len(self._anchor)) != self._anchor:
            raise RewrittenError


def _counts(report: ReadReport) -> Counter[str]:
    counts = Counter(
        lines=report.lines,
        entries=sum(report.entries.values()),
        skipped=sum(report.skipped.values()),
        unknown=sum(report.unknown.values()),
        damaged=sum(report.damaged.values()),
        repaired=report.repaired,
        salvaged=report.salvaged,
        duplicates=report.duplicates,
        conflicts=report.conflicts,
    )
    counts.update({f"damaged_{reason}": count for reason, count in report.damaged.items()})
    return counts


def last_before(path: Path, position: int, dialect: Dialect = CLAUDE_CODE) -> Stretch | None:
    """Return the last line with an entry that ends at or shortly before a position; None where there is none.

    Raises:
        RewrittenError: no line ends at the position, so the file is not the one whose lines did.
        OSError: the file cannot be read.
    """
    begin = max(0, position - _LOOK_BACK)
    with path.open("rb") as file:
        file.seek(begin)
        window = file.read(position - begin)
    if len(window) < position - begin or not window.endswith(b"\n"):
        raise RewrittenError
    first_line = 0 if begin == 0 else window.find(b"\n") + 1
    reader = EntryReader(begin + first_line, dialect=dialect)
    entries = reader.feed(window[first_line:])
    last = [placed for placed in entries if entries and placed.end == entries[-1].end]
    return Stretch(last[0].offset, last[-1].end, tuple(last)) if last else None
