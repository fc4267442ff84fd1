"""Recorded sessions as the evaluation wants them: calls with what was pending, up to each compaction."""

import gzip
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import shim_transcripts as transcripts
from shim_risk.observations import ApiCall, Compaction, estimate_tokens

Body = Mapping[str, Any]

SUFFIXES = (".jsonl", ".jsonl.gz")
"""Names of transcripts end in one of these."""

IMAGE_CHARACTERS = 6_000
"""What a block that is no text counts: an image near the largest size is 1,500 tokens."""


class Ending(Enum):
    """Why a segment ends."""

    AUTOMATIC = "automatic compaction"
    MANUAL = "manual compaction"
    OPEN = "end of the session"


@dataclass(frozen=True, slots=True)
class Segment:
    """The calls from a start or a compaction to the next, each with all that was pending after it."""

    calls: tuple[ApiCall, ...]
    ending: Ending
    compaction: Compaction | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """A recorded session; `call_ids` tell copies of the same conversation."""

    name: str
    started: datetime
    call_ids: frozenset[str]
    segments: tuple[Segment, ...]

    @property
    def calls(self) -> int:
        """Number of API calls."""
        return sum(len(segment.calls) for segment in self.segments)


def load(paths: Iterable[Path]) -> list[Session]:
    """Read all transcripts that are named or lie below a named folder, plain or gzipped.

    Raises OSError where one cannot be read. Files without an API call are left out.
    """
    sessions = [parse(path.name, _bytes_of(path)) for path in _files(paths)]
    return [session for session in sessions if session.segments]


def distinct(sessions: Iterable[Session]) -> list[Session]:
    """Leave out sessions that share a call with a longer one, so that none is tested on its own copy.

    The rest is in order of time.
    """
    kept: list[Session] = []
    seen: set[str] = set()
    for session in sorted(sessions, key=lambda one: (-one.calls, one.name)):
        if seen.isdisjoint(session.call_ids):
            kept.append(session)
            seen |= session.call_ids
    return sorted(kept, key=lambda one: (one.started, one.name))


def parse(name: str, content: bytes) -> Session:
    """Read one transcript, whatever its damage."""
    reader = transcripts.EntryReader()
    placed = [*reader.feed(content), *reader.finish()]
    bodies = [one.entry.body for one in placed]
    calls = [call for call in transcripts.api_calls(bodies) if not call.is_sidechain]
    return Session(
        name=name,
        started=next((call.at for call in calls if call.at), datetime.min.replace(tzinfo=UTC)),
        call_ids=frozenset(filter(None, (_message_id(bodies[call.position]) for call in calls))),
        segments=tuple(_segments(bodies, calls)),
    )


def _files(paths: Iterable[Path]) -> list[Path]:
    found: set[Path] = set()
    for path in paths:
        below = path.rglob("*") if path.is_dir() else [path]
        found |= {file for file in below if file.name.endswith(SUFFIXES)}
    return sorted(found)


def _bytes_of(path: Path) -> bytes:
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _segments(bodies: Sequence[Body], calls: Sequence[transcripts.ApiCall]) -> list[Segment]:
    compactions = {one.position: one for one in transcripts.compactions(bodies)}
    call_at = {call.position: call for call in calls}
    segments: list[Segment] = []
    current: list[ApiCall] = []
    for position, body in enumerate(bodies):
        if position in call_at:
            current.append(_observed(call_at[position]))
        elif position in compactions and current:
            segments.append(_compacted(current, compactions[position]))
            current = []
        elif current and (characters := _appended_characters(body)):
            pending = current[-1].pending_tokens + estimate_tokens(characters)
            current[-1] = replace(current[-1], pending_tokens=pending)
    if current:
        segments.append(Segment(tuple(current), Ending.OPEN))
    return segments


def _observed(call: transcripts.ApiCall) -> ApiCall:
    return ApiCall(
        context_tokens=call.context_tokens,
        output_tokens=call.output_tokens,
        model=call.model,
        client_version=call.client_version,
    )


def _compacted(calls: Sequence[ApiCall], compaction: transcripts.Compaction) -> Segment:
    automatic = compaction.trigger == "auto"
    return Segment(
        calls=tuple(calls),
        ending=Ending.AUTOMATIC if automatic else Ending.MANUAL,
        compaction=Compaction(automatic, compaction.pre_tokens),
    )


def _appended_characters(body: Body) -> int:
    """Count what a prompt or tool result adds. A summary is no part of what was there before it."""
    if body.get("type") != "user" or body.get("isSidechain") or body.get("isCompactSummary"):
        return 0
    return sum(_characters(block) for block in transcripts.content_blocks(body))


def _characters(block: object) -> int:
    match block:
        case str():
            return len(block)
        case {"type": "text", "text": str(text)}:
            return len(text)
        case {"type": "tool_result", "content": list(parts)}:
            return sum(_characters(part) for part in parts)
        case {"type": "tool_result", "content": str(text)}:
            return len(text)
        case {"type": "tool_result"}:
            return 0
        case _:
            return IMAGE_CHARACTERS


def _message_id(body: Body) -> str:
    message = body.get("message")
    return str(message.get("id") or "") if isinstance(message, dict) else ""
