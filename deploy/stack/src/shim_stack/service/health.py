"""Which processes hang: they run, were ready, and no longer respond."""

import asyncio
from collections.abc import Sequence

import psutil

from shim_common.embedded.program import Program
from shim_stack.record import ProcessRecord, RunRecord


async def hanging(record: RunRecord, programs: Sequence[Program], seconds: float) -> list[str]:
    """The names of the programs whose processes do not respond within `seconds`.

    One that is dead or being started does not count: the runner starts it again by itself.
    """
    ready = {process.name: process for process in record.processes if process.state == "ready"}
    asked = [program for program in programs if program.name in ready]
    hang = await asyncio.gather(*(_hangs(program, ready[program.name], seconds) for program in asked))
    return [program.name for program, hangs in zip(asked, hang, strict=True) if hangs]


async def _hangs(program: Program, process: ProcessRecord, seconds: float) -> bool:
    if _is_stopped(process):
        return True
    try:
        async with asyncio.timeout(seconds):
            await program.ready()
    except Exception:  # noqa: BLE001 - whatever a probe raises, its process did not answer
        return process.identity.is_alive
    return False


def _is_stopped(process: ProcessRecord) -> bool:
    """Whether the process stands still because of SIGSTOP; it may listen on nothing that could be asked."""
    try:
        return process.identity.is_alive and psutil.Process(process.pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False
