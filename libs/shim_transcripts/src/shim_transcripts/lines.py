"""Cuts the bytes of a growing file into lines."""

from dataclasses import dataclass

from shim_transcripts.damage import Damage, Reason

MAX_LINE = 16 * 1024 * 1024
"""Bytes a line may have, its newline included. The longest seen in 127 MB of real sessions is 0.96 MB;
images pasted as base64 reach some ten."""


@dataclass(frozen=True, slots=True)
class Line:
    """A complete line: `raw` with its newline, found in the file at bytes `offset` to `end`."""

    offset: int
    end: int
    raw: bytes


class LineSplitter:
    """Turns chunks of any size into complete lines and keeps the torn tail for the next chunk.

    Holds at most `max_line` bytes. A longer line comes out as `Damage` once its newline is seen.
    """

    def __init__(self, position: int = 0, max_line: int = MAX_LINE) -> None:
        self._position = position
        self._max_line = max_line
        self._tail = bytearray()
        self._size = 0

    @property
    def position(self) -> int:
        """Offset of the first byte that is not part of a complete line: where to read on after a restart."""
        return self._position

    def feed(self, chunk: bytes) -> list[Line | Damage]:
        """Take the file's next bytes; return the lines they complete, in order."""
        found: list[Line | Damage] = []
        begin = 0
        while (newline := chunk.find(b"\n", begin)) >= 0:
            self._take(chunk[begin : newline + 1])
            found.append(self._cut())
            begin = newline + 1
        self._take(chunk[begin:])
        return found

    def rest(self) -> Line | Damage | None:
        """Return the tail as if the file ended here, without consuming it; None where there is none."""
        end = self._position + self._size
        if not self._size:
            return None
        if self._size > self._max_line:
            return Damage(self._position, end, Reason.TOO_LONG)
        return Line(self._position, end, bytes(self._tail))

    def _take(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._max_line:
            self._tail.clear()
        else:
            self._tail += piece

    def _cut(self) -> Line | Damage:
        line = self.rest()
        if line is None:
            raise AssertionError("a line has at least its newline")
        self._position = line.end
        self._tail.clear()
        self._size = 0
        return line
