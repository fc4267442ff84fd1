"""Bringing the stack up, with what is happening shown as it happens."""

import asyncio
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points

from rich.console import Console
from rich.status import Status

from shim_common.kernel.errors import ShimError
from shim_stack.errors import StartFailed
from shim_stack.folder import DataFolder
from shim_stack.launch import RUNNER, launch
from shim_stack.logs import LogFile
from shim_stack.progress import Step
from shim_stack.runner import MakePlan, supervise
from shim_stack.runner_log import log_to

LAST_LINES = 15
DEMO_GROUP = "shim.demo"


class Screen:
    """Shows steps: on a terminal what is starting in a line that changes, and what is done in lines that stay."""

    def __init__(self, out: Console) -> None:
        self.last: Step | None = None
        self._out = out
        self._starting: list[str] = []
        self._status = Status("starting", console=out)

    def show(self, step: Step) -> None:
        """Show one step and remember it as the last."""
        self.last = step
        match step.kind:
            case "starting":
                self._starting.append(step.process)
            case "ready":
                self._starting.remove(step.process)
                self._out.print(f"  {step.process:<13} ready in {step.seconds:.1f} s")
            case "note":
                self._out.print(f"  {step.text}")
            case "up":
                self._out.print(f"SHIM is up after {step.seconds:.1f} s: {step.text}")
        self._show_starting(finished=step.is_last)

    def _show_starting(self, *, finished: bool) -> None:
        if finished or not self._starting:
            self._status.stop()
        else:
            self._status.update(f"starting {', '.join(self._starting)}")
            self._status.start()


def bring_up(folder: DataFolder, environ: Mapping[str, str], out: Console, command: Sequence[str] = RUNNER) -> bool:
    """Start the stack in the background and return True when it is up, False where it runs already.

    Raises StartFailed, after showing the end of the failing process's log; BadConfiguration and NewerData.
    """
    folder.open()
    if folder.is_owned:
        return False
    out.print(f"Starting SHIM in {folder.path}", soft_wrap=True)
    started = launch(folder, environ, command)
    screen = Screen(out)
    try:
        for step in started.steps():
            screen.show(step)
    except KeyboardInterrupt:
        started.cancel()
        raise
    came_up = _outcome(screen.last, folder, out)
    if came_up:
        started.detach()
    return came_up


def hold_up(folder: DataFolder, make_plan: MakePlan, out: Console) -> bool:
    """Run the stack in this process until Ctrl-C or SIGTERM; False where it runs already. Raises as `bring_up`."""
    folder.open()
    screen = Screen(out)
    with (folder.logs / "runner.log").open("a", encoding="utf-8") as log:
        log_to(log)
        asyncio.run(supervise(folder, make_plan, screen.show))
    return _outcome(screen.last, folder, out)


def prove(out: Console, group: str = DEMO_GROUP) -> bool:
    """Run the demonstrations installed in `group` on the stack that is up; whether they all went well."""
    codes = []
    for point in entry_points(group=group):
        try:
            codes.append(point.load()(out))
        except ShimError as error:
            out.print(str(error), soft_wrap=True)
            codes.append(1)
    return not any(codes)


def _outcome(last: Step | None, folder: DataFolder, out: Console) -> bool:
    if last is not None and last.kind == "failed":
        raise StartFailed(last.process, _explain(last, folder, out))
    return last is not None and last.kind != "already_running"


def _explain(failure: Step, folder: DataFolder, out: Console) -> str:
    """Show the end of the failing process's log and say what it means."""
    if not failure.process:
        return failure.text
    log = LogFile(folder.logs / f"{failure.process}.log")
    for line in log.tail(LAST_LINES):
        out.print(f"  | {line}", soft_wrap=True)
    return f"{failure.process} does not come up: {failure.text}. Above is the end of {log.path}"
