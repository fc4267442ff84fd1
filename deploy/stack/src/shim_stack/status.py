"""How the stack fares, measured from outside: its record, its processes and its folders."""

import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psutil

from shim_stack.folder import DataFolder
from shim_stack.record import ProcessRecord, RunRecord, State, read_record


@dataclass(frozen=True)
class ProcessStatus:
    """One process; `memory` in bytes is its own and its children's proportional share, None where unknown."""

    name: str
    pid: int
    state: State | str
    uptime: timedelta
    memory: int | None
    restarts: int
    last_exit: str | None


@dataclass(frozen=True)
class StackStatus:
    """The stack on one data folder; `sizes` are names, folders and their bytes, of which `data` is SHIM_HOME."""

    folder: DataFolder
    record: RunRecord | None
    processes: tuple[ProcessStatus, ...]
    sizes: tuple[tuple[str, Path, int], ...]

    @property
    def is_running(self) -> bool:
        """Whether a runner holds the stack."""
        return self.record is not None and self.record.is_live

    @property
    def is_up(self) -> bool:
        """Whether the stack came up, and every process runs and is ready."""
        came_up = self.record is not None and self.record.ready_at is not None
        return came_up and self.is_running and all(process.state == "ready" for process in self.processes)


def measure(folder: DataFolder, now: datetime) -> StackStatus:
    """The status of the stack on `folder`, which need not exist."""
    record = read_record(folder.run_record)
    processes = (record.runner, *record.processes) if record and record.runner else ()
    folders = {"data": folder.path, **(record.data_folders if record else {})}
    return StackStatus(
        folder=folder,
        record=record,
        processes=tuple(_measure_process(process, now) for process in processes),
        sizes=tuple((name, path, size_of(path)) for name, path in folders.items() if path.is_dir()),
    )


def size_of(folder: Path) -> int:
    """The bytes that the files in `folder` take on disk; what cannot be read is not counted."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512  # noqa: PTH118 - thousands of files
            except OSError:
                continue
    return total


def _measure_process(process: ProcessRecord, now: datetime) -> ProcessStatus:
    alive = process.identity.is_alive
    return ProcessStatus(
        name=process.name,
        pid=process.pid,
        state=process.state if alive or process.state == "restarting" else "dead",
        uptime=now - process.started_at if alive else timedelta(),
        memory=_memory_of(process.pid, with_children=process.name != "runner") if alive else None,
        restarts=process.restarts,
        last_exit=process.last_exit,
    )


def _memory_of(pid: int, *, with_children: bool) -> int | None:
    try:
        process = psutil.Process(pid)
        family = [process, *(process.children(recursive=True) if with_children else ())]
        return sum(_share(one) for one in family)
    except psutil.Error:
        return None


def _share(process: psutil.Process) -> int:
    """Memory of a process, what it shares with others divided by their number where the system tells (Linux)."""
    full = process.memory_full_info()
    return int(getattr(full, "pss", full.uss))
