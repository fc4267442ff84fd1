"""Which files are transcripts of which session of Claude Code, and under which name the server knows them."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from shim_transcripts import (
    Line,
    LineSplitter,
    Record,
    looks_like_transcript,
    parse_line,
    salvage,
    session_files,
    session_id_of,
    subagent_files,
)

_CHUNK = 256 * 1024

ORIGIN_WITHIN = 16 * 1024 * 1024
"""Bytes at the start of a file in which its first record with a working directory is looked for."""

_HEAD_LINES = 50


@dataclass(frozen=True, slots=True)
class Source:
    """A transcript file: `session` is the client's id; `name` stays the same while the file does."""

    session: str
    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session works, with which client version, and when it began, as its records say."""

    project: str
    client_version: str | None
    began_at: datetime | None = None


def transcripts_folder(config_dir: Path) -> Path:
    """Return the folder below which the client writes its transcripts."""
    return config_dir / "projects"


def sources_below(config_dir: Path) -> list[Source]:
    """List the transcripts of every session and of its subagents."""
    sessions = session_files(config_dir)
    files = [*sessions, *(agent for session in sessions for agent in subagent_files(session))]
    return [source for path in files if (source := source_of(config_dir, path))]


def source_of(config_dir: Path, path: Path) -> Source | None:
    """Return what a path means, None where it is no transcript by its place.

    The name is relative to `projects/`, because one session may have a file in more than one project folder.
    """
    session = session_id_of(path)
    projects = transcripts_folder(config_dir)
    if session is None or not path.is_relative_to(projects):
        return None
    return Source(session, path, path.relative_to(projects).as_posix())


def origin_of(path: Path) -> Origin | None:
    """Read where a transcript comes from: its first record with a working directory.

    None where no record has one yet, or where the file is another program's.
    """
    head: list[bytes] = []
    began_at: datetime | None = None
    for raw in lines_of(path):
        if len(head) < _HEAD_LINES:
            head.append(raw)
        for record in _records(raw):
            began_at = began_at or record.at
            if record.cwd and record.cwd.startswith("/"):
                is_transcript = looks_like_transcript([json.dumps(record.data).encode(), *head])
                return Origin(record.cwd, record.client_version, began_at) if is_transcript else None
    return None


def _records(raw: bytes) -> list[Record]:
    record = parse_line(raw, 0)
    return [record] if isinstance(record, Record) else salvage(raw, 0)


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the whole lines at the start of a file, as far as its origin is looked for.

    Raises:
        OSError: the file cannot be read.
    """
    splitter = LineSplitter()
    with path.open("rb") as file:
        while splitter.position < ORIGIN_WITHIN and (chunk := file.read(_CHUNK)):
            yield from (line.raw for line in splitter.feed(chunk) if isinstance(line, Line))
