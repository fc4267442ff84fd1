"""Making the stack a service, and taking it out again, with each step said as it is done."""

from collections.abc import Callable, Sequence
from pathlib import Path

from shim_common.kernel.secrets import write_private
from shim_stack.down import take_down
from shim_stack.errors import StackError
from shim_stack.folder import DataFolder
from shim_stack.logs import LogFile
from shim_stack.record import read_record
from shim_stack.service.manager import Manager
from shim_stack.service.spec import RUNNER_LOG, ServiceSpec

Say = Callable[[str], None]


def install(manager: Manager, spec: ServiceSpec, say: Say) -> bool:
    """Make the stack a service that runs now and at every login; False where it was just that already.

    A stack that runs by `shim up` is stopped and started by the manager. Raises NoServiceManager, NotOurs,
    ManagerFailed, BadConfiguration and NewerData; StackError where the running stack cannot be handed over.
    """
    manager.require()
    before, state = manager.home(), manager.state()
    changed = [file for file in manager.render(spec) if not file.is_there]
    if not changed and state.enabled and state.running:
        return False
    _prepare(spec.folder)
    for file in changed:
        write_private(file.path, file.content)
        say(f"wrote {file.path}")
    if before is not None and before != spec.folder.path:
        _remove(manager.companions(before), say)
    manager.enable()
    say(f"enabled: the {manager.kind} starts at login")
    _hand_over(spec.folder, state.pid, say)
    manager.start(spec.folder)
    say("started: SHIM is up")
    return True


def uninstall(manager: Manager, say: Say) -> bool:
    """Stop the service and remove its files; False where it is not installed.

    Data stays. Where the manager does not run, only the files are removed. Raises NotOurs and ManagerFailed.
    """
    home = manager.home()
    if home is None:
        return False
    reachable = manager.state().running is not None
    if reachable:
        manager.disable()
        say("stopped, and no longer started at login")
    _remove((manager.file, *manager.companions(home)), say)
    if reachable:
        manager.forget()
    return True


def _prepare(folder: DataFolder) -> None:
    """Make the folder and the log, so that the manager finds a file that others cannot read."""
    folder.open()
    LogFile(folder.logs / RUNNER_LOG).open().close()


def _hand_over(folder: DataFolder, service_pid: int | None, say: Say) -> None:
    """Stop a stack that runs on `folder` without the service."""
    if not folder.is_owned:
        return
    record = read_record(folder.run_record)
    runner = record.runner if record is not None and record.is_live else None
    if runner is None:
        raise StackError(f"SHIM on {folder.path} is being started or stopped right now. Run the command again.")
    if runner.pid == service_pid:
        return
    say(f"stopping the SHIM that `shim up` started (pid {runner.pid}); sessions go on")
    take_down(folder, lambda process: say(f"  stopped {process.name} (pid {process.pid})"))


def _remove(files: Sequence[Path], say: Say) -> None:
    for file in files:
        if file.exists():
            file.unlink()
            say(f"removed {file}")
