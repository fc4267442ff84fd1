"""Reads a growing transcript, chunk by chunk, into entries; counts whatever it leaves out."""

from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime

from shim_transcripts.damage import Damage, Reason
from shim_transcripts.dialect import CLAUDE_CODE, Dialect
from shim_transcripts.entries import EPOCH, Entry, Skipped
from shim_transcripts.lines import MAX_LINE, Line, LineSplitter
from shim_transcripts.records import Record, parse_line, salvage
from shim_transcripts.report import ReadReport, Tally

REMEMBERED_KEYS = 16_384
"""Keys remembered to tell duplicates: about 4 MB. One farther apart comes out again, under the same key."""


@dataclass(frozen=True, slots=True)
class PlacedEntry:
    """An entry, and the bytes `offset` to `end` of the line that it was read from."""

    entry: Entry
    offset: int
    end: int


class EntryReader:
    """Feed it a file's bytes from `position` on; it returns the entries of the lines that they complete.

    To read on after a restart, make a new reader with `position` and `last_at` of the old one.
    `undated` is the time given to lines before the first that has one; `dialect` is the client that wrote the file.
    """

    def __init__(
        self,
        position: int = 0,
        undated: datetime = EPOCH,
        max_line: int = MAX_LINE,
        dialect: Dialect = CLAUDE_CODE,
    ) -> None:
        self._dialect = dialect
        self._splitter = LineSplitter(position, max_line)
        self._position = position
        self._last_at = undated
        self._digests: OrderedDict[str, str] = OrderedDict()
        self._tally = Tally()
        self._finished = False

    @property
    def position(self) -> int:
        """Offset up to which the file is read; a line under way is not part of it."""
        return self._position

    @property
    def last_at(self) -> datetime:
        """Time of the last line that has one."""
        return self._last_at

    @property
    def report(self) -> ReadReport:
        """What was made of the lines so far."""
        return self._tally.report()

    def feed(self, chunk: bytes) -> list[PlacedEntry]:
        """Take the file's next bytes. Raises ValueError after `finish`, and nothing else."""
        if self._finished:
            raise ValueError("this reader is finished; read on with a new one")
        placed: list[PlacedEntry] = []
        for line in self._splitter.feed(chunk):
            placed += self._read(line)
        self._position = self._splitter.position
        return placed

    def finish(self) -> list[PlacedEntry]:
        """Take the last line although it has no newline. Call it once, when the file will not grow.

        A torn last line is counted as damage, and `position` stays before it.
        """
        self._finished = True
        rest = self._splitter.rest()
        if not isinstance(rest, Line):
            return self._read(rest) if rest else []
        if isinstance(parse_line(rest.raw, rest.offset), Record):
            self._position = rest.end
            return self._read(rest)
        return self._read(rest, torn=True)

    def _read(self, line: Line | Damage, *, torn: bool = False) -> list[PlacedEntry]:
        self._tally.lines += 1
        if isinstance(line, Damage):
            self._tally.damaged(line)
            return []
        if line.raw.isspace():
            self._tally.blank += 1
            return []
        record = parse_line(line.raw, line.offset)
        if isinstance(record, Record):
            return self._place([record])
        self._tally.damaged(replace(record, reason=Reason.TORN) if torn else record)
        salvaged = salvage(line.raw, line.offset, self._dialect.is_whole)
        self._tally.salvaged += len(salvaged)
        return self._place(salvaged)

    def _place(self, records: list[Record]) -> list[PlacedEntry]:
        placed = []
        for record in records:
            if entry := self._entry(record):
                placed.append(PlacedEntry(entry, record.offset, record.end))
                self._tally.entries[entry.kind] += 1
        return placed

    def _entry(self, record: Record) -> Entry | None:
        self._last_at = record.at or self._last_at
        self._tally.repaired += record.repaired
        if not self._dialect.is_known(record):
            self._tally.unknown(record.type)
        entry = self._dialect.to_entry(record, self._last_at)
        if isinstance(entry, Skipped):
            self._tally.skipped(entry.type)
            return None
        return self._unless_duplicate(entry, record.digest)

    def _unless_duplicate(self, entry: Entry, digest: str) -> Entry | None:
        """Drop a line seen before; keep one that only shares its key, under a key of its own."""
        other_key = f"{entry.key}~{digest}"
        if digest in (self._digests.get(entry.key), self._digests.get(other_key)):
            self._tally.duplicates += 1
            return None
        if entry.key in self._digests:
            self._tally.conflicts += 1
            entry = replace(entry, key=other_key)
        self._remember(entry.key, digest)
        return entry

    def _remember(self, key: str, digest: str) -> None:
        self._digests[key] = digest
        if len(self._digests) > REMEMBERED_KEYS:
            self._digests.popitem(last=False)
