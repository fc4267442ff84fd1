"""The child processes of `shim run`: the client, and whatever a client that died left without a parent."""

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_SET_CHILD_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2), Linux 3.4."""


class Children:
    """Reaps them all and tells how those ended that somebody waits for."""

    def __init__(self) -> None:
        self._expected: dict[int, asyncio.Future[int]] = {}

    @contextmanager
    def reaping(self) -> Iterator[None]:
        """Reap for the length of a block."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGCHLD)

    def expect(self, pid: int) -> None:
        """Keep how this child ends; called before the loop goes on after it was forked."""
        self._expected[pid] = asyncio.get_running_loop().create_future()

    async def ended(self, pid: int) -> int:
        """Return a child's wait status once it has ended."""
        self._reap()
        try:
            return await self._expected[pid]
        finally:
            del self._expected[pid]

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            awaited = self._expected.get(pid)
            if awaited is not None and not awaited.done():
                awaited.set_result(status)


def take_in_orphans() -> None:
    """Become the parent of every descendant whose own parent dies, so that none gets out of sight (Linux alone)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
