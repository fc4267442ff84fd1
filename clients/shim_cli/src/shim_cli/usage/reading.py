"""Reads the requests out of transcripts, line by line, so that a file's size does not matter."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

import orjson

from shim_cli.usage.calls import Body, Call, Synthetic, call_of
from shim_cli.usage.ledger import Ledger
from shim_cli.usage.sources import project_folder_of
from shim_transcripts import looks_like_transcript, project_folder_name, salvage
from shim_transcripts.lines import MAX_LINE

USAGE = b'"usage"'
"""Every line that tells of a request holds this; what does not is not decoded."""


@dataclass(slots=True)
class Findings:
    """What the transcripts tell. `damaged` and `synthetic` count lines, `foreign` files that are no transcripts.

    `unreadable` names the files that could not be read, and why.
    `projects` is the working directory that each session was started in, by session.
    """

    files: int = 0
    bytes: int = 0
    foreign: int = 0
    damaged: int = 0
    synthetic: int = 0
    unreadable: list[str] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)
    projects: dict[str, str] = field(default_factory=dict)


def read(files: Iterable[Path]) -> Findings:
    """Read the transcripts, those of subagents last; a file that cannot be read is named and passed over."""
    findings = Findings()
    for file in files:
        try:
            _read_file(file, findings)
        except OSError as error:
            findings.unreadable.append(f"{file}: {error.strerror}")
    return findings


def _read_file(file: Path, findings: Findings) -> None:
    folder = project_folder_of(file)
    with file.open("rb") as stream:
        if not looks_like_transcript(_lines(stream)):
            findings.foreign += 1
            return
        stream.seek(0)
        findings.files += 1
        for raw in _lines(stream):
            findings.bytes += len(raw)
            for body in _bodies(raw, findings):
                _take(body, folder, findings)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines; one that is longer than any real one comes in pieces, which count as damaged."""
    return iter(partial(stream.readline, MAX_LINE), b"")


def _bodies(raw: bytes, findings: Findings) -> Iterator[Body]:
    """Yield the objects of a line that may tell of a request: of a torn one those that are whole."""
    line = raw.strip(b" \t\r\n\0")
    looks_whole = line.startswith(b"{") and line.endswith(b"}")
    if not line or (looks_whole and USAGE not in line):
        return
    try:
        body = orjson.loads(line)
    except orjson.JSONDecodeError:
        findings.damaged += 1
        for record in salvage(raw, 0) if USAGE in line else ():
            yield record.data
    else:
        if isinstance(body, dict):
            yield body


def _take(body: Body, folder: str | None, findings: Findings) -> None:
    call = call_of(body)
    if isinstance(call, Synthetic):
        findings.synthetic += 1
    elif isinstance(call, Call):
        _place(call, folder, findings.projects)
        findings.ledger.add(call)


def _place(call: Call, folder: str | None, projects: dict[str, str]) -> None:
    """Remember the first working directory of a session, or rather the one that its project's folder is named after."""
    if call.cwd is None or projects.get(call.session) == call.cwd:
        return
    if call.session not in projects or (folder and project_folder_name(call.cwd) == folder):
        projects[call.session] = call.cwd
