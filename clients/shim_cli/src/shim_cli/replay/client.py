"""A process in the place of the recorded assistant, so that a replay can be killed like one."""

import subprocess
import sys

import psutil

from shim_common.contracts.sessions import ProcessRef


class StandIn:
    """A child process that does nothing until it is killed; it also ends when this process does."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", "import os; os.read(0, 1)"], stdin=subprocess.PIPE
        )
        self.reference = ProcessRef(pid=self._process.pid, created=psutil.Process(self._process.pid).create_time())

    def kill(self) -> int:
        """End it with SIGKILL, as the worst case does; return its exit code, negative for a signal."""
        self._process.kill()
        code = self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        return code
