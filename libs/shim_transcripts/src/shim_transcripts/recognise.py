"""Tells Claude Code transcripts from other programs' files."""

from collections.abc import Iterable
from itertools import islice

from shim_transcripts.records import Record, parse_line

LINES_LOOKED_AT = 50
"""Non-blank lines from the start of the file that are looked at."""

_SESSION_LINES = frozenset(
    {"system", "attachment", "progress", "queue-operation", "mode", "last-prompt", "custom-title", "ai-title"}
)


def looks_like_transcript(lines: Iterable[bytes]) -> bool:
    """Tell from the first lines of a file whether it is a Claude Code transcript.

    One line that only a transcript has is enough, so a damaged transcript is still recognised. Other programs
    write `type` and `message` too (Codex, Gemini, Claude Code's own stream-json), but not in this shape.
    Lines must be whole: give the first megabyte or so, not the first kilobytes.
    """
    filled = (line for line in lines if line.strip())
    records = (parse_line(line, 0) for line in islice(filled, LINES_LOOKED_AT))
    return any(isinstance(record, Record) and _is_evidence(record) for record in records)


def _is_evidence(record: Record) -> bool:
    match record.type:
        case "user" | "assistant":
            return record.session_id is not None and isinstance(record.data.get("message"), dict)
        case "summary":
            return "leafUuid" in record.data
        case "file-history-snapshot":
            return "messageId" in record.data
        case _:
            return record.type in _SESSION_LINES and record.session_id is not None
