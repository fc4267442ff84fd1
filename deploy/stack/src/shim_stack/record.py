"""run.json: what runs on a data folder, or last ran there."""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shim_common.embedded.identity import GRACEFUL, ProcessIdentity, StopStep

State = Literal["waiting", "starting", "ready", "restarting"]


class ProcessRecord(BaseModel):
    """One process: which it is, how it fares, and how it is stopped."""

    model_config = ConfigDict(frozen=True)

    name: str
    pid: int
    birth: str
    started_at: AwareDatetime
    state: State = "starting"
    restarts: int = 0
    last_exit: str | None = None
    stop: tuple[StopStep, ...] = GRACEFUL

    @property
    def identity(self) -> ProcessIdentity:
        """The very process, not just its pid."""
        return ProcessIdentity(self.pid, self.birth)


class RunRecord(BaseModel):
    """The runner, where it put things, and its processes in the order of their start.

    After a clean stop `runner` is None and `processes` empty; the port and the folders are remembered.
    """

    model_config = ConfigDict(frozen=True)

    runner: ProcessRecord | None = None
    processes: tuple[ProcessRecord, ...] = ()
    ready_at: AwareDatetime | None = None
    port: int | None = None
    url: str | None = None
    run_folder: Path | None = None
    data_folders: Mapping[str, Path] = {}
    versions: Mapping[str, str] = {}

    @property
    def is_live(self) -> bool:
        """Whether its runner runs."""
        return self.runner is not None and self.runner.identity.is_alive

    @property
    def survivors(self) -> tuple[ProcessRecord, ...]:
        """The processes that still run, the last started first: the order of stopping."""
        return tuple(process for process in reversed(self.processes) if process.identity.is_alive)


def describe_process(name: str, pid: int, started_at: datetime, stop: tuple[StopStep, ...] = GRACEFUL) -> ProcessRecord:
    """A record of the process `pid`, which may have ended already."""
    try:
        birth = ProcessIdentity.of(pid).birth
    except ProcessLookupError:
        birth = "gone"
    return ProcessRecord(name=name, pid=pid, birth=birth, started_at=started_at, stop=stop)


def read_record(file: Path) -> RunRecord | None:
    """What `file` says; None where there is none, or one that no runner of ours wrote."""
    try:
        return RunRecord.model_validate_json(file.read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def write_record(file: Path, record: RunRecord) -> None:
    """Replace `file`: a reader sees the old record or the new one, never half of it."""
    draft = file.with_name(file.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(record.model_dump_json(indent=2) + "\n")
    draft.replace(file)
