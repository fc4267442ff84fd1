"""The runner: owns a data folder, starts the table's programs in order, keeps them, and stops them in reverse."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shim_common.embedded.program import Program, nothing
from shim_common.embedded.run_folder import is_temporary
from shim_common.kernel.clock import Clock, SystemClock
from shim_common.kernel.errors import ShimError
from shim_stack.errors import AlreadyRunning, StartFailed
from shim_stack.folder import DataFolder
from shim_stack.keeper import Keeper
from shim_stack.logs import LogFile, log_files
from shim_stack.progress import Progress, Step
from shim_stack.record import ProcessRecord, RunRecord, describe_process, read_record, write_record
from shim_stack.survivors import stop_survivors

HOUSEKEEPING_SECONDS = 2.0
CONFIRM_SECONDS = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What to run and what to say about it: `programs` in the order of their start.

    `confirm` returns when the whole stack answers, after every program is ready.
    """

    programs: Sequence[Program]
    run_folder: Path
    port: int | None = None
    url: str | None = None
    data_folders: Mapping[str, Path] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    confirm: Callable[[], Awaitable[None]] = nothing


MakePlan = Callable[[RunRecord], Awaitable[Plan]]
"""Makes the plan, given the record of the run before (empty at the first). It may raise a ShimError."""


async def supervise(folder: DataFolder, make_plan: MakePlan, report: Progress, clock: Clock | None = None) -> int:
    """Run the plan on `folder` until SIGTERM or SIGINT, and return the exit code: 0 after a clean stop.

    What a killed runner left behind is stopped first. Failures are reported and logged, not raised.
    """
    try:
        folder.open()
        with folder.owned():
            await Runner(folder, report, clock or SystemClock()).run(make_plan)
        return 0
    except AlreadyRunning as error:
        report(Step(kind="already_running", text=str(error)))
    except StartFailed as error:
        logger.error("%s: %s", error.process, error)
        report(Step(kind="failed", process=error.process, text=str(error)))
    except (ShimError, OSError) as error:
        logger.error("%s", error)
        report(Step(kind="failed", text=str(error)))
    return 1


class Runner:
    """One run on a data folder that is owned."""

    def __init__(self, folder: DataFolder, report: Progress, clock: Clock) -> None:
        self._folder = folder
        self._report = report
        self._clock = clock
        self._began = clock.monotonic()
        self._stopping = asyncio.Event()
        self._failure: BaseException | None = None
        self._keepers: list[Keeper] = []
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._record = read_record(folder.run_record) or RunRecord()

    async def run(self, make_plan: MakePlan) -> None:
        """Bring the plan up, hold it until told to stop, take it down.

        Raises StartFailed where a program or the whole does not come up, and what `make_plan` raises.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stopping.set)
        previous = self._take_over()
        try:
            plan = await make_plan(previous)
            self._adopt(plan)
            await self._until_stopped(self._bring_up(plan))
            await self._until_stopped(self._housekeeping(plan))
        finally:
            await self._take_down()
        if self._failure is not None:
            raise self._failure

    def _take_over(self) -> RunRecord:
        """Write down who the runner is, stop what a killed one left behind, and return the record of its run."""
        previous = self._record
        me = describe_process("runner", os.getpid(), self._clock.now()).model_copy(update={"state": "ready"})
        self._record = previous.model_copy(update={"runner": me, "ready_at": None})
        write_record(self._folder.run_record, self._record)
        stop_survivors(previous, self._report_survivor)
        self._write()
        return previous

    def _report_survivor(self, process: ProcessRecord) -> None:
        text = f"stopped {process.name} (pid {process.pid}), which a killed run had left behind"
        logger.info(text)
        self._report(Step(kind="note", process=process.name, text=text))

    async def _until_stopped(self, work: Awaitable[None]) -> None:
        """Await `work`, but only as long as nobody asks to stop."""
        task = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        for one in (task, stopping):
            one.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    def _adopt(self, plan: Plan) -> None:
        for note in plan.notes:
            logger.info("%s", note)
            self._report(Step(kind="note", text=note))
        facts = {name: getattr(plan, name) for name in ("port", "url", "run_folder", "data_folders", "versions")}
        self._record = self._record.model_copy(update=facts)
        self._write()

    async def _bring_up(self, plan: Plan) -> None:
        for program in plan.programs:
            log = LogFile(self._folder.logs / f"{program.name}.log")
            self._keepers.append(Keeper(program, log, self._clock, self._report, self._write))
        ups = {keeper.program.name: keeper.up for keeper in self._keepers}
        for keeper in self._keepers:
            after = [ups[name] for name in keeper.program.after]
            task = asyncio.create_task(self._start(keeper, after))
            task.add_done_callback(self._on_end)
            self._tasks[keeper.program.name] = task
        await asyncio.gather(*ups.values())
        await self._confirm(plan)
        self._record = self._record.model_copy(update={"ready_at": self._clock.now()})
        self._write()
        seconds = self._clock.monotonic() - self._began
        logger.info("up in %.1f s", seconds)
        self._report(Step(kind="up", text=plan.url or "", seconds=seconds))

    async def _start(self, keeper: Keeper, after: Sequence[asyncio.Future[None]]) -> None:
        await asyncio.gather(*(asyncio.shield(up) for up in after))
        self._report(Step(kind="starting", process=keeper.program.name))
        await keeper.keep()

    def _on_end(self, task: "asyncio.Task[None]") -> None:
        """A keeper ends by being cancelled or by a failed start; anything else must not go unnoticed."""
        if not task.cancelled() and not isinstance(task.exception(), StartFailed | None):
            self._failure = task.exception()
            self._stopping.set()

    async def _confirm(self, plan: Plan) -> None:
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                await plan.confirm()
        except TimeoutError:
            message = f"every process runs, but the whole did not get ready in {CONFIRM_SECONDS:.0f} s"
            raise StartFailed(self._keepers[-1].program.name, message) from None

    async def _housekeeping(self, plan: Plan) -> None:
        """Keep the logs small, and the sockets fresh: temporary folders lose what nobody touches."""
        while True:
            for log in log_files(self._folder.logs):
                with contextlib.suppress(OSError):  # a full disk; the next round may find room
                    log.rotate()
            with contextlib.suppress(OSError):
                for entry in (plan.run_folder, *plan.run_folder.iterdir()):
                    os.utime(entry)
            await asyncio.sleep(HOUSEKEEPING_SECONDS)

    async def _take_down(self) -> None:
        for keeper in reversed(self._keepers):
            task = self._tasks[keeper.program.name]
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            logger.info("%s is stopped", keeper.program.name)
        folder = self._record.run_folder
        if folder is not None and is_temporary(folder, self._folder.path):
            shutil.rmtree(folder, ignore_errors=True)
        self._keepers.clear()
        self._record = RunRecord(port=self._record.port, data_folders=self._record.data_folders)
        self._write()

    def _write(self) -> None:
        processes = tuple(keeper.record for keeper in self._keepers if keeper.record is not None)
        try:
            write_record(self._folder.run_record, self._record.model_copy(update={"processes": processes}))
        except OSError as error:  # a full disk: keeping the processes up matters more
            logger.warning("%s cannot be written: %s", self._folder.run_record, error)
