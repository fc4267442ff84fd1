"""What the agent has to know of each client that it can follow: where its files are, and how they are read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shim_agent.connections import CLAUDE_CODE, CODEX
from shim_agent.processes.records import ClientRecord, read_records, records_folder
from shim_agent.processes.threads import locks_folder, read_threads
from shim_agent.transcripts import codex_sources, sources
from shim_agent.transcripts.sources import Origin, Source
from shim_transcripts import dialect
from shim_transcripts.codex import CODEX as CODEX_DIALECT
from shim_transcripts.dialect import Dialect


@dataclass(frozen=True, slots=True)
class Assistant:
    """One client. Folders and paths are taken from its configuration folder.

    | field | says |
    |---|---|
    | `transcripts_folder` | below which folder transcripts are written |
    | `sources_below`, `source_of`, `origin_of` | which files are transcripts, and where they come from |
    | `dialect` | how their lines are read |
    | `processes_folder`, `processes_suffix` | where files come and go with the client's processes |
    | `processes` | the living processes, as far as that can be proved |
    | `is_supervised` | whether its sessions are brought back |
    """

    transcripts_folder: Callable[[Path], Path]
    sources_below: Callable[[Path], list[Source]]
    source_of: Callable[[Path, Path], Source | None]
    origin_of: Callable[[Path], Origin | None]
    dialect: Dialect
    processes_folder: Callable[[Path], Path]
    processes_suffix: str
    processes: Callable[[Path], list[ClientRecord]]
    is_supervised: bool


ASSISTANTS: Mapping[str, Assistant] = {
    CLAUDE_CODE: Assistant(
        transcripts_folder=sources.transcripts_folder,
        sources_below=sources.sources_below,
        source_of=sources.source_of,
        origin_of=sources.origin_of,
        dialect=dialect.CLAUDE_CODE,
        processes_folder=records_folder,
        processes_suffix=".json",
        processes=read_records,
        is_supervised=True,
    ),
    CODEX: Assistant(
        transcripts_folder=codex_sources.transcripts_folder,
        sources_below=codex_sources.sources_below,
        source_of=codex_sources.source_of,
        origin_of=codex_sources.origin_of,
        dialect=CODEX_DIALECT,
        processes_folder=locks_folder,
        processes_suffix=".lock",
        processes=read_threads,
        is_supervised=False,
    ),
}
"""The clients that can be followed, by the name under which they are connected."""
