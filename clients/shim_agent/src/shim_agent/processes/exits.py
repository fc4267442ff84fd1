"""Waits for the end of a process that is not a child."""

import asyncio
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from shim_agent.processes.identity import is_alive

POLL_SECONDS = 1.0
"""Between looks where the system cannot notify."""


async def gone(process: psutil.Process) -> None:
    """Return when this very process has ended."""
    try:
        with _exit_descriptor(process.pid) as descriptor:
            # The descriptor stands for whoever had the pid when it was opened: look only now who that is.
            if is_alive(process):
                await _readable(descriptor)
    except ProcessLookupError:
        return
    except OSError:
        await _gone_by_polling(process)


@contextmanager
def _exit_descriptor(pid: int) -> Iterator[int]:
    """Open a descriptor that becomes readable when the process ends.

    Raises:
        ProcessLookupError: there is no such process.
        OSError: the system has no such descriptors, or none left.
    """
    if sys.platform == "linux":
        descriptor = os.pidfd_open(pid)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    elif sys.platform == "darwin":
        with select.kqueue() as queue:
            event = select.kevent(
                pid,
                filter=select.KQ_FILTER_PROC,
                flags=select.KQ_EV_ADD | select.KQ_EV_ONESHOT,
                fflags=select.KQ_NOTE_EXIT,
            )
            queue.control([event], 0)
            yield queue.fileno()
    else:
        raise OSError(f"no exit descriptors on {sys.platform}")


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _gone_by_polling(process: psutil.Process) -> None:
    while is_alive(process):  # noqa: ASYNC110 - nothing here could set an event
        await asyncio.sleep(POLL_SECONDS)
