"""How the lines of one client's transcripts are understood: all that a reader has to know of the client."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from shim_transcripts.entries import Entry, Skipped, is_known, to_entry
from shim_transcripts.records import Record, is_whole_line


@dataclass(frozen=True, slots=True)
class Dialect:
    """One client's lines.

    | rule | says |
    |---|---|
    | `to_entry` | the log entry of a line, with this time where it has none, or that it is left out |
    | `is_known` | whether the line's type is one that is decided about by name |
    | `is_whole` | whether an object salvaged from a damaged line is a line of its own, not a part of one |
    """

    to_entry: Callable[[Record, datetime], Entry | Skipped]
    is_known: Callable[[Record], bool]
    is_whole: Callable[[Record], bool]


CLAUDE_CODE = Dialect(to_entry, is_known, is_whole_line)
