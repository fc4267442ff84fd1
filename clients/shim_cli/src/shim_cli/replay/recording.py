"""A recorded session: a transcript as the assistant wrote it and, where they were recorded, the hooks it called.

The hooks stand beside the transcript `NAME.jsonl` in `NAME.hooks.jsonl`, one object a line: `received_at` (seconds on
the recorder's own clock) and `payload` (what the hook said). Either file may be compressed (`.gz`).
"""

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, cast

from shim_cli.errors import Refused
from shim_common.contracts.base import JsonObject
from shim_transcripts import EntryReader, PlacedEntry, ReadReport, content_blocks, looks_like_transcript
from shim_transcripts.entries import EPOCH

_CHUNK = 1024 * 1024
_LOOKED_AT = 200
"""Entries from the start in which the session's id, folder and version are looked for."""

_HOOK_LAG = timedelta(milliseconds=1)
"""The least time between a call's line and its PreToolUse hook."""


@dataclass(frozen=True)
class RecordedHook:
    """A hook as the assistant called it."""

    at: datetime
    event: str
    payload: JsonObject


@dataclass(frozen=True)
class Origin:
    """Where and with what the session was recorded, as far as its lines tell."""

    session_id: str | None
    project: str | None
    client_version: str | None


class Recording:
    """A recorded session in a file. The transcript is read as it is needed, never as a whole."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reader = EntryReader()

    @property
    def report(self) -> ReadReport:
        """What was made of the lines read so far."""
        return self._reader.report

    def check(self) -> None:
        """Make sure that the file is a transcript.

        Raises:
            Refused: it cannot be read, or is something else.
        """
        try:
            with _opened(self.path) as file:
                lines = [file.readline(_CHUNK) for _ in range(50)]
        except (OSError, EOFError) as error:
            raise Refused(f"{self.path} cannot be read: {error}") from None
        if not looks_like_transcript(lines):
            raise Refused(f"{self.path} is not a transcript of Claude Code")

    def size(self) -> int:
        """Return the bytes of the transcript, uncompressed."""
        with _opened(self.path) as file:
            return sum(len(chunk) for chunk in iter(lambda: file.read(_CHUNK), b""))

    def entries(self) -> Iterator[PlacedEntry]:
        """Read the transcript from its start and yield what belongs into a session's log."""
        self._reader = EntryReader()
        with _opened(self.path) as file:
            while chunk := file.read(_CHUNK):
                yield from self._reader.feed(chunk)
        yield from self._reader.finish()

    def origin(self) -> Origin:
        """Return where the session comes from, by its first lines."""
        found: dict[str, str] = {}
        for placed, _ in zip(self.entries(), range(_LOOKED_AT), strict=False):
            for name in ("sessionId", "cwd", "version"):
                value = placed.entry.body.get(name)
                if isinstance(value, str) and value:
                    found.setdefault(name, value)
        return Origin(found.get("sessionId"), found.get("cwd"), found.get("version"))

    def hooks(self) -> list[RecordedHook]:
        """Return the recorded hooks in the order they came; none where none were recorded.

        Raises:
            Refused: there is a file of hooks that cannot be understood.
        """
        path = self._hooks_file()
        if path is None:
            return []
        with _opened(path) as file:
            received = [_received(path, number, line) for number, line in enumerate(file, start=1) if line.strip()]
        base = self._recorder_start(received)
        return [
            RecordedHook(base + timedelta(seconds=seconds), payload["hook_event_name"], payload)
            for seconds, payload in received
        ]

    def _recorder_start(self, received: Sequence[tuple[float, JsonObject]]) -> datetime:
        """Return when the recorder's clock was zero, by the transcript's clock.

        A tool's call is written before its PreToolUse hook, so the latest start that any call asks for is the one. In
        recorded sessions that leaves every result 10 ms or more behind its PostToolUse hook.
        """
        asked = {
            payload.get("tool_use_id"): seconds
            for seconds, payload in received
            if payload["hook_event_name"] == "PreToolUse"
        }
        first: datetime | None = None
        start: datetime | None = None
        for placed in self.entries():
            first = first or placed.entry.at
            for block in content_blocks(placed.entry.body):
                if block.get("type") == "tool_use" and block.get("id") in asked:
                    candidate = placed.entry.at + _HOOK_LAG - timedelta(seconds=asked[block["id"]])
                    start = max(start or candidate, candidate)
        return start or (first or EPOCH) - timedelta(seconds=received[0][0] if received else 0)

    def _hooks_file(self) -> Path | None:
        stem = self.path.name.removesuffix(".gz").removesuffix(".jsonl")
        names = (f"{stem}.hooks.jsonl", f"{stem}.hooks.jsonl.gz")
        return next((path for name in names if (path := self.path.with_name(name)).is_file()), None)


def _received(path: Path, number: int, line: bytes) -> tuple[float, JsonObject]:
    try:
        record = json.loads(line)
        payload = record["payload"]
        if not isinstance(payload["hook_event_name"], str):
            raise TypeError("the event's name is no text")
        return float(record["received_at"]), payload
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{path}, line {number}: no recorded hook ({error!r})") from None


def _opened(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")
