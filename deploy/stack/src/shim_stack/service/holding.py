"""Runs the stack in the foreground and tells the service manager how it fares."""

import asyncio
import logging
import signal

from shim_stack.folder import DataFolder
from shim_stack.progress import Step
from shim_stack.record import RunRecord, read_record
from shim_stack.runner import MakePlan, Plan, supervise
from shim_stack.service.health import hanging
from shim_stack.service.notify import Notifier

EXIT_ALREADY_RUNNING = 75
"""EX_TEMPFAIL of sysexits.h: another runner owns the data folder, so starting again at once is of no use."""

SIGNS_OF_LIFE = 3
"""In each watchdog period, so that one slow answer is not taken for a hang; sd_watchdog_enabled(3) asks for two."""

logger = logging.getLogger(__name__)


async def hold(folder: DataFolder, make_plan: MakePlan, notifier: Notifier) -> int:
    """Run the stack as `supervise` does, and return the exit code.

    The manager hears READY once the stack is up, WATCHDOG while none of its processes hangs, and STOPPING when
    SIGTERM came.
    """
    return await _Holding(folder, make_plan, notifier).run()


class _Holding:
    def __init__(self, folder: DataFolder, make_plan: MakePlan, notifier: Notifier) -> None:
        self._folder = folder
        self._make_plan = make_plan
        self._notifier = notifier
        self._plan: Plan | None = None
        self._last: Step | None = None
        self._signs: asyncio.Task[None] | None = None

    async def run(self) -> int:
        try:
            code = await supervise(self._folder, self._planned, self._report)
        finally:
            await self._fall_silent()
        return EXIT_ALREADY_RUNNING if self._last is not None and self._last.kind == "already_running" else code

    async def _planned(self, last: RunRecord) -> Plan:
        # The runner has its handlers by now, and stops for SIGINT as it does for SIGTERM.
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self._stop)
        self._plan = await self._make_plan(last)
        return self._plan

    def _stop(self) -> None:
        """Say that the stack stops, so that its silence is not taken for a hang, and stop it."""
        self._notifier.tell("STOPPING=1", "STATUS=stopping")
        if self._signs is not None:
            self._signs.cancel()
        signal.raise_signal(signal.SIGINT)

    def _report(self, step: Step) -> None:
        self._last = step
        match step.kind:
            case "starting":
                self._notifier.tell(f"STATUS=starting {step.process}")
            case "up":
                self._notifier.tell("READY=1", f"STATUS={self._up}")
                if self._notifier.watchdog is not None and self._plan is not None:
                    self._signs = asyncio.create_task(self._give_signs(self._plan, self._notifier.watchdog))
            case "failed" | "already_running":
                self._notifier.tell(f"STATUS={' '.join(step.text.split())}")

    @property
    def _up(self) -> str:
        return f"up at {self._last.text}" if self._last is not None and self._last.text else "up"

    async def _give_signs(self, plan: Plan, watchdog: float) -> None:
        """Tell the watchdog that all is well, as often as it wants to hear it and only while it is true."""
        interval = watchdog / SIGNS_OF_LIFE
        while True:
            record = read_record(self._folder.run_record) or RunRecord()
            if names := await hanging(record, plan.programs, interval):
                text = f"{', '.join(names)} hangs"
                logger.warning("%s; the watchdog acts after %.0f s of it", text, watchdog)
                self._notifier.tell(f"STATUS={text}")
            else:
                self._notifier.tell("WATCHDOG=1", f"STATUS={self._up}")
            await asyncio.sleep(interval)

    async def _fall_silent(self) -> None:
        if self._signs is not None:
            self._signs.cancel()
            await asyncio.gather(self._signs, return_exceptions=True)
