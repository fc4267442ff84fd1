"""Taking the stack down, also one whose runner was killed."""

import signal
from collections.abc import Callable, Sequence

from shim_common.embedded.identity import StopStep
from shim_stack.errors import StackError
from shim_stack.folder import DataFolder
from shim_stack.record import ProcessRecord, read_record
from shim_stack.survivors import stop_survivors

MARGIN_SECONDS = 5.0

OnStopped = Callable[[ProcessRecord], None]


def take_down(folder: DataFolder, on_stopped: OnStopped) -> bool:
    """Stop everything that runs on `folder`, telling of each process as it ends; False where nothing ran.

    The runner stops its processes in order. Where there is none, or it does not get done, they are stopped from
    here. Raises StackError where a process does not even yield to SIGKILL.
    """
    record = read_record(folder.run_record)
    running = record.survivors if record else ()
    if record is None or not (record.is_live or running):
        return False
    if record.runner is not None and record.is_live:
        record.runner.identity.send(signal.SIGTERM)
        _await_end(running, record.runner, on_stopped)
    stop_survivors(read_record(folder.run_record), on_stopped)
    left = [process for process in running if process.identity.is_alive]
    if left:
        names = ", ".join(f"{process.name} (pid {process.pid})" for process in left)
        raise StackError(f"{names} cannot be stopped; the system holds it. A restart of the machine ends it.")
    return True


def _await_end(running: Sequence[ProcessRecord], runner: ProcessRecord, on_stopped: OnStopped) -> None:
    """See the runner stop its processes; kill it where it takes longer than all their graces."""
    for process in running:
        if process.identity.wait(sum(step.grace for step in process.stop) + MARGIN_SECONDS):
            on_stopped(process)
    if not runner.identity.wait(MARGIN_SECONDS):
        runner.identity.stop([StopStep(signal.SIGKILL, MARGIN_SECONDS)])
    on_stopped(runner)
