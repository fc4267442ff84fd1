"""The processes' logs: files they append to themselves, kept small from outside.

A process writes to its file directly, so neither a slow nor a dead runner ever blocks it or takes its last
words. Rotation copies the file and empties it; appending goes on at the new end.
"""

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

MIB = 1024 * 1024
LARGEST = 10 * MIB
KEPT = 2  # older files beside the current one: at most 30 MiB a process
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class LogFile:
    """The log of one process."""

    path: Path

    @property
    def name(self) -> str:
        """The process."""
        return self.path.stem

    def open(self) -> IO[bytes]:
        """Open for appending, made with mode 0600."""
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        return os.fdopen(descriptor, "ab", buffering=0)

    def rotate(self, largest: int = LARGEST) -> None:
        """Move the content away if there is more than `largest` bytes; of a flood only the end is kept."""
        if not self.path.exists() or self.path.stat().st_size <= largest:
            return
        for age in range(KEPT, 1, -1):
            if self._older(age - 1).exists():
                self._older(age - 1).replace(self._older(age))
        with self.path.open("rb") as current:
            current.seek(-largest, os.SEEK_END)
            self._older(1).touch(mode=0o600)
            self._older(1).write_bytes(current.read(largest))
        os.truncate(self.path, 0)

    def tail(self, lines: int) -> list[str]:
        """The last `lines` lines, from older files too where the current one has fewer."""
        found: deque[str] = deque(maxlen=lines)
        for path in (*(self._older(age) for age in range(KEPT, 0, -1)), self.path):
            if path.exists():
                found.extend(path.read_text(encoding="utf-8", errors="replace").splitlines())
        return list(found)

    def _older(self, age: int) -> Path:
        return self.path.with_suffix(f".log.{age}")


def log_files(folder: Path) -> list[LogFile]:
    """The logs in `folder` by name."""
    return [LogFile(path) for path in sorted(folder.glob("*.log"))]


def follow(logs: list[LogFile]) -> Iterator[tuple[LogFile, str]]:
    """Every whole line written from this call on, with the log it is in. Does not end."""
    return _follow(logs, {log.path: _size(log.path) for log in logs})


def _follow(logs: list[LogFile], places: dict[Path, int]) -> Iterator[tuple[LogFile, str]]:
    while True:
        for log in logs:
            lines, places[log.path] = _read_lines(log.path, places[log.path])
            yield from ((log, line) for line in lines)
        time.sleep(POLL_SECONDS)


def _read_lines(path: Path, place: int) -> tuple[list[str], int]:
    """The whole lines after `place` and the place after them; from the start where the file was emptied."""
    size = _size(path)
    if size < place:
        place = 0
    if size == place:
        return [], place
    with path.open("rb") as file:
        file.seek(place)
        whole, _, _ = file.read(size - place).rpartition(b"\n")
    return whole.decode(errors="replace").splitlines(), place + len(whole) + (1 if whole else 0)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
