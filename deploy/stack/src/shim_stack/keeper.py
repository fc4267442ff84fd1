"""Keeps one program running: started, restarted when it dies, stopped when asked."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from shim_common.embedded.program import Program, describe_exit, spawn, stop, wait_until_ready
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import ShimError
from shim_stack.backoff import next_delay
from shim_stack.errors import StartFailed
from shim_stack.logs import LogFile
from shim_stack.progress import Progress, Step
from shim_stack.record import ProcessRecord, describe_process

FIRST_STARTS = 4  # tries before a program that was never ready counts as one that cannot start

logger = logging.getLogger(__name__)


class Keeper:
    """One program of the table and its process of the moment."""

    def __init__(
        self, program: Program, log: LogFile, clock: Clock, report: Progress, on_change: Callable[[], None]
    ) -> None:
        self.program = program
        self.record: ProcessRecord | None = None
        self.up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._log = log
        self._clock = clock
        self._report = report
        self._on_change = on_change
        self._began = 0.0
        self._restarts = 0
        self._last_exit: str | None = None

    async def keep(self) -> None:
        """Run the program and run it again whenever it ends, until this is cancelled; then stop it.

        `up` is done when it is ready for the first time, or has failed to be `FIRST_STARTS` times.
        """
        delay: float | None = None
        self._began = self._clock.monotonic()
        while True:
            started = self._clock.monotonic()
            reason = await self._run_once()
            uptime = self._clock.monotonic() - started
            delay = next_delay(delay, uptime)
            self._restarts += 1
            if not self.up.done() and (self._restarts >= FIRST_STARTS or uptime >= self.program.ready_seconds):
                self.up.set_exception(StartFailed(self.program.name, reason))
                return
            logger.warning("%s: %s; starting it again in %.1f s", self.program.name, reason, delay)
            self._last_exit = reason
            self._set(state="restarting")
            await asyncio.sleep(delay)

    async def _run_once(self) -> str:
        """Run the program to its end and return why it ended."""
        try:
            await self.program.prepare()
            with self._log.open() as output:
                process = await spawn(self.program, output)
        except Exception as error:  # noqa: BLE001 - whatever it is, the program is to be tried again
            return _reason(error)
        try:
            self._describe(process.pid, self._clock.now())
            await wait_until_ready(self.program, process)
            self._is_ready()
            return f"ended with {describe_exit(await process.wait())}"
        except Exception as error:  # noqa: BLE001 - as above
            return _reason(error)
        finally:
            await stop(process, self.program.stop)

    def _describe(self, pid: int, now: datetime) -> None:
        self.record = describe_process(self.program.name, pid, now, tuple(self.program.stop))
        self._set(state="starting", restarts=self._restarts, last_exit=self._last_exit)

    def _is_ready(self) -> None:
        self._set(state="ready")
        logger.info("%s is ready", self.program.name)
        if not self.up.done():
            seconds = self._clock.monotonic() - self._began
            self._report(Step(kind="ready", process=self.program.name, seconds=seconds))
            self.up.set_result(None)

    def _set(self, **changes: object) -> None:
        if self.record is not None:
            self.record = self.record.model_copy(update=changes)
            self._on_change()


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, ShimError) else f"{type(error).__name__}: {error}"
