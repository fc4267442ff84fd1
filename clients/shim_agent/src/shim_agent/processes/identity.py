"""Whether a process is the one that somebody spoke of. Pids are used again; a pid with its creation time is not."""

import os
import sys
from datetime import datetime
from pathlib import Path

import psutil

from shim_agent.processes.records import ClientRecord
from shim_common.contracts.sessions import ProcessRef

SAME_CREATION_SECONDS = 1.0
"""Creation times within this are the same: the boot time that they are counted from is known to the second."""

START_UP_SECONDS = 120.0
"""A client says when it started at the latest this long after its process was created."""


def is_alive(process: psutil.Process) -> bool:
    """Tell whether this very process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def reference(process: psutil.Process) -> ProcessRef:
    """Return what names a process on the wire.

    Raises:
        psutil.Error: the process is gone.
    """
    return ProcessRef(pid=process.pid, created=process.create_time())


def find(ref: ProcessRef, said_at: datetime) -> psutil.Process | None:
    """Return the living process that is meant; None where it is gone or the pid is another's now.

    Where only a pid was told (`created` is 0), at `said_at` or later, the process that has it now is meant if it
    existed at that time: then it had the pid already.
    """
    try:
        process = psutil.Process(ref.pid)
        created = process.create_time()
    except psutil.Error:
        return None
    if ref.created > 0:
        is_meant = abs(created - ref.created) <= SAME_CREATION_SECONDS
    else:
        is_meant = created <= said_at.timestamp() + SAME_CREATION_SECONDS
    return process if is_meant and is_alive(process) else None


def find_recorded(record: ClientRecord) -> psutil.Process | None:
    """Return the living process that a client's record means; None where that is not certain."""
    try:
        process = psutil.Process(record.pid)
        return process if _is_recorded(process, record) and is_alive(process) else None
    except psutil.Error:
        return None


def recorded_reference(record: ClientRecord) -> ProcessRef | None:
    """Return what names a recorded process that is gone; None where its age is unknown."""
    if sys.platform == "linux" and record.start_tick is not None:
        created = psutil.boot_time() + record.start_tick / os.sysconf("SC_CLK_TCK")
        return ProcessRef(pid=record.pid, created=created)
    if record.started_at is not None:
        return ProcessRef(pid=record.pid, created=record.started_at)
    return None


def _is_recorded(process: psutil.Process, record: ClientRecord) -> bool:
    if sys.platform == "linux" and record.start_tick is not None:
        return start_tick(process.pid) == record.start_tick
    if record.started_at is not None:
        return 0 <= record.started_at - process.create_time() + SAME_CREATION_SECONDS <= START_UP_SECONDS
    return False


def start_tick(pid: int) -> int | None:
    """Return when a process started, in ticks since boot (proc(5), /proc/pid/stat, field 22)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    return int(after_name[19])
