"""How a client ended, and ending in the same way."""

import os
import resource
import signal
import sys
from dataclasses import dataclass
from typing import NoReturn


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit code, or the signal that ended a process; neither where nobody knows."""

    code: int | None = None
    signal: int | None = None

    @classmethod
    def of(cls, status: int) -> "Exit":
        """Return what a wait status says."""
        result = os.waitstatus_to_exitcode(status)
        return cls(code=result) if result >= 0 else cls(signal=-result)

    @property
    def words(self) -> str:
        """How it ended, for a person."""
        if self.signal is not None:
            return f"was killed by {_name(self.signal)}"
        return "is gone" if self.code is None else f"ended with {self.code}"


def leave(as_: Exit) -> NoReturn:
    """End this process as the client ended: with its code, or by the same signal."""
    sys.stdout.flush()
    if as_.signal is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the core of this process would say nothing of the client
        if as_.signal not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(as_.signal, signal.SIG_DFL)
        os.kill(os.getpid(), as_.signal)
    os._exit(_shell_code(as_))


def _shell_code(end: Exit) -> int:
    if end.signal is not None:
        return 128 + end.signal  # a signal that ends nobody here
    return 1 if end.code is None else end.code


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
