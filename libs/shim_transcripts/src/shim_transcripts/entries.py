"""What of a transcript goes into a session's log, and under which identity.

Shares of bytes below are of 68 real sessions, 130 MB (clients 2.1.5 to 2.1.42); where it says so, of one
short session of 2.1.329, 149 KB.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from shim_transcripts.jsontext import JsonObject
from shim_transcripts.records import Record

Kind = Literal["message", "usage", "compaction", "error", "meta"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_UNKNOWN = 64 * 1024
"""Bytes up to which a line of an unknown type is kept. No known meta line of real sessions comes near."""

MAX_UUID = 128
"""Characters up to which a line's uuid serves as key; real ones have 36."""

NOISE: Mapping[str, str] = {
    "progress": "live display of running tools, hooks and subagents (31 % of bytes, up to 93 % of a file);"
    " the outcome is in the tool_result, a subagent's conversation in its own file",
    "file-history-snapshot": "pointers to the client's own /rewind backups, which it deletes after 30 days",
    "file-history-delta": "change to such a snapshot",
    "api-request": "hashes of what a request was made of; the messages are lines of their own",
    "api-request-blob": "copy of one such message",
    "api-request-resumed": "the same after a resume",
    "api-request-shape": "system prompt and tool definitions, which the client makes anew (26 % of 2.1.329)",
    "attachment/prompt_snapshot": "system prompt and tool definitions once more (44 % of 2.1.329)",
    "queue-operation": "bookkeeping of the prompt queue; with text in `content` it is kept, see below",
    "tools-used": "names of tools, all to be found in the tool_use blocks",
    "atis-latch": "internal flag, empty in every line seen",
    "resume-head-vouch": "checksum of the client's own resume cache",
}
"""Line types that are left out, each with the reason. A subtype follows after a slash.

A queue-operation with text is what a person typed while the assistant was busy: more than half of those texts
(53 of 95) occur nowhere else in their transcript, so they are kept as meta.
"""

_MESSAGES = frozenset({"user", "assistant"})

_META = frozenset(
    {
        "agent-color",
        "agent-name",
        "agent-setting",
        "ai-title",
        "attachment",
        "content-replacement",
        "continued-in",
        "cost-state",
        "custom-title",
        "last-prompt",
        "mode",
        "permission-mode",
        "pr-link",
        "relocated",
        "summary",
        "system",
        "tag",
        "worktree-state",
    }
)

_DUPLICATE_FIELDS = frozenset({"toolUseResult"})
"""A tool's structured output, 53 % of the bytes of user and assistant lines. What the model saw of it is the
tool_result block, which is kept."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A unit of a session's log. `key` identifies it inside the session, however often it is read."""

    key: str
    kind: Kind
    at: datetime
    body: JsonObject


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that was left out; `type` is its key in `NOISE`, or the unknown type that was too large."""

    type: str


def to_entry(record: Record, undated: datetime = EPOCH) -> Entry | Skipped:
    """Make the log entry of a line, or say that it is left out.

    `undated` is the time given to a line without one. The key is the line's uuid; a line without gets
    `h:` and its digest, so the same line repeated word for word is one entry.
    """
    if noise := _noise_of(record):
        return Skipped(noise)
    if not is_known(record) and record.size > MAX_UNKNOWN:
        return Skipped(record.type)
    body = {name: value for name, value in record.data.items() if name not in _DUPLICATE_FIELDS}
    return Entry(_key(record), _kind(record), record.at or undated, body)


def is_known(record: Record) -> bool:
    """Tell whether the line's type is one that this module decides about by name."""
    return record.type in _MESSAGES or record.type in _META or record.type in NOISE


def _noise_of(record: Record) -> str | None:
    if record.type in NOISE:
        return None if _is_queued_prompt(record) else record.type
    name = f"{record.type}/{_subtype(record)}"
    return name if name in NOISE else None


def _is_queued_prompt(record: Record) -> bool:
    content = record.data.get("content")
    return record.type == "queue-operation" and isinstance(content, str) and bool(content.strip())


def _subtype(record: Record) -> object:
    if record.type == "attachment":
        attachment = record.data.get("attachment")
        return attachment.get("type") if isinstance(attachment, dict) else None
    return record.data.get("subtype")


def _kind(record: Record) -> Kind:
    if record.type in _MESSAGES:
        return "message"
    if record.type == "system":
        match record.data.get("subtype"):
            case "compact_boundary":
                return "compaction"
            case "api_error":
                return "error"
    return "meta"


def _key(record: Record) -> str:
    if record.uuid and len(record.uuid) <= MAX_UUID:
        return record.uuid
    return f"h:{record.digest}"
