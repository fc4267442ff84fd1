"""Tool processes that outlived their client: which still run, and ending them."""

import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime

import psutil

from shim_agent.processes.identity import find
from shim_common.contracts.sessions import ProcessRef, ToolProcess

POLITE_SECONDS = 3.0
"""Between asking a tool to end and ending it: long enough to write a file, short enough to wait for."""


def still_running(tools: Iterable[ToolProcess], now: datetime) -> list[psutil.Process]:
    """Return those of the processes that run, known by pid and creation time; never this one."""
    found = (find(ProcessRef(pid=tool.pid, created=tool.created), now) for tool in tools)
    return [one for one in found if one is not None and one.pid != os.getpid()]


def end(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """End the processes, politely first; return those that run on. Takes up to twice `POLITE_SECONDS`."""
    left = list(processes)
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in left:
            with suppress(psutil.Error):  # it has ended, or belongs to somebody else
                ask(process)
        _, left = psutil.wait_procs(left, timeout=POLITE_SECONDS)
    return left
