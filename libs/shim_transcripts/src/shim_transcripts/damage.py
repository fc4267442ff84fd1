"""What could not be read, and why."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Stable codes of damage, fit for counters and for people."""

    NOT_JSON = "not_json"
    """Complete line, but no JSON: torn, overwritten, or of another program."""
    NOT_OBJECT = "not_object"
    """JSON, but not an object."""
    BAD_UTF8 = "bad_utf8"
    """Not JSON, and not even text."""
    NUL = "nul"
    """Not JSON, with NUL bytes in it: a block that the file system never wrote."""
    TOO_DEEP = "too_deep"
    """Nested deeper than `jsontext.MAX_DEPTH`."""
    TOO_LONG = "too_long"
    """Longer than the reader's `max_line`."""
    TORN = "torn"
    """The file ends in the middle of this line."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes `offset` to `end` of a file that hold no readable line. Never carries their text."""

    offset: int
    end: int
    reason: Reason

    @property
    def size(self) -> int:
        """Bytes lost."""
        return self.end - self.offset
