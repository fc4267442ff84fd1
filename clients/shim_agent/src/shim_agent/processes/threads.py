"""Which Codex process works on which thread: it holds `<config_dir>/thread-writer-locks/<thread id>.lock`.

Codex (0.169.0) locks that file as long as it may write the thread's transcript, deletes it when it lets the thread
go, and leaves it behind, unlocked, when it is killed. Linux tells who holds a lock (proc(5), /proc/locks); elsewhere
only a hook tells the process. A process that holds several threads, as the daemon behind the interactive client may,
is nobody's here: its end would be each of theirs, and only one can be told of.
"""

import os
import re
from collections import defaultdict
from pathlib import Path

from shim_agent.processes.identity import start_tick
from shim_agent.processes.records import ClientRecord

PROC_LOCKS = Path("/proc/locks")

_NAME = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.lock")
_HELD = re.compile(r"^\d+: FLOCK +ADVISORY +WRITE +(\d+) +([0-9a-f]+):([0-9a-f]+):(\d+) ", re.MULTILINE)

FileId = tuple[int, int, int]
"""A file as the kernel names it: device, major and minor, and inode."""


def locks_folder(config_dir: Path) -> Path:
    """Return where Codex keeps the locks of its threads."""
    return config_dir / "thread-writer-locks"


def read_threads(config_dir: Path) -> list[ClientRecord]:
    """Return the living processes that work on one thread, sorted by pid; none where the system does not tell."""
    threads = _locked_threads(config_dir)
    found = [record for pid, held in threads.items() if len(held) == 1 and (record := _record(pid, held[0]))]
    # Pids are used again: believed is what is still so after the process's age was read.
    still = _locked_threads(config_dir)
    return sorted((one for one in found if still.get(one.pid) == [one.session]), key=lambda one: one.pid)


def _locked_threads(config_dir: Path) -> dict[int, list[str]]:
    """Return the threads whose lock is held, by the pid that holds it."""
    files = _lock_files(config_dir)
    threads: defaultdict[int, list[str]] = defaultdict(list)
    if files:
        for pid, *file_id in _HELD.findall(_kernel_locks()):
            major, minor, inode = file_id
            thread = files.get((int(major, 16), int(minor, 16), int(inode)))
            if thread:
                threads[int(pid)].append(thread)
    return threads


def _kernel_locks() -> str:
    try:
        return PROC_LOCKS.read_text()
    except OSError:
        return ""


def _lock_files(config_dir: Path) -> dict[FileId, str]:
    found: dict[FileId, str] = {}
    try:
        for path in locks_folder(config_dir).iterdir():
            if name := _NAME.fullmatch(path.name):
                found[_file_id(path)] = name[1]
    except OSError:
        return found
    return found


def _file_id(path: Path) -> FileId:
    stat = path.stat()
    return os.major(stat.st_dev), os.minor(stat.st_dev), stat.st_ino


def _record(pid: int, thread: str) -> ClientRecord | None:
    tick = start_tick(pid)
    return ClientRecord(pid=pid, session=thread, start_tick=tick, started_at=None) if tick is not None else None
