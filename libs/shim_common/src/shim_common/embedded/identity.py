"""Which process a pid meant: pids are used again, a pid together with its birth is not."""

import functools
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

POLL_SECONDS = 0.01


class StopStep(NamedTuple):
    """One step of stopping a process: the signal, and how many seconds it gets before the next step."""

    signal: signal.Signals
    grace: float


GRACEFUL = (StopStep(signal.SIGTERM, 8.0), StopStep(signal.SIGKILL, 2.0))


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A pid and the birth of its process.

    `birth` is opaque: on Linux the boot and the clock tick of the start, which no change of the wall clock
    moves; elsewhere the creation time.
    """

    pid: int
    birth: str

    @classmethod
    def of(cls, pid: int) -> "ProcessIdentity":
        """The identity of the running process `pid`; ProcessLookupError where there is none."""
        birth = _birth(pid)
        if birth is None:
            raise ProcessLookupError(pid)
        return cls(pid, birth)

    @property
    def is_alive(self) -> bool:
        """Whether this very process runs; a zombie does not."""
        return _birth(self.pid) == self.birth

    def send(self, number: signal.Signals) -> None:
        """Signal this very process; nothing happens where it is gone."""
        try:
            process = psutil.Process(self.pid)
            if self.is_alive:
                process.send_signal(number)  # psutil compares the birth once more
        except psutil.NoSuchProcess:
            return

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for the end of this process, which need not be a child; True when it is gone."""
        deadline = time.monotonic() + seconds
        while self.is_alive:
            if time.monotonic() >= deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def stop(self, steps: Sequence[StopStep] = GRACEFUL) -> bool:
        """Go through `steps` until this process is gone; True when it is."""
        for step in steps:
            self.send(step.signal)
            if self.wait(step.grace):
                return True
        return False


def _birth(pid: int) -> str | None:
    return _birth_on_linux(pid) if sys.platform == "linux" else _birth_elsewhere(pid)


def _birth_on_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold spaces
    state, start_tick = fields[0], fields[19]
    return None if state in "ZX" else f"{_boot_id()}:{start_tick}"


@functools.cache
def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _birth_elsewhere(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None
