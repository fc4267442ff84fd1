"""How the service fares: what is installed, and what runs."""

from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from shim_stack.folder import DataFolder
from shim_stack.record import RunRecord, read_record
from shim_stack.service.manager import Manager


@dataclass(frozen=True)
class ServiceStatus:
    """What is installed and what runs; None is unknown, or there is none.

    `by_hand` is the pid of a stack on the same data folder that `shim up` started. `running_version` is of the
    stack that runs, `version` of this command.
    """

    kind: str
    file: Path
    installed: bool
    enabled: bool | None
    running: bool | None
    pid: int | None
    detail: str
    home: Path
    by_hand: int | None
    running_version: str | None
    version: str


def service_status(manager: Manager, folder: DataFolder) -> ServiceStatus:
    """The status; `folder` is looked at where no service says which is its own. Raises NotOurs."""
    home = manager.home()
    state = manager.state()
    record = read_record((folder if home is None else DataFolder(home)).run_record)
    live = record if record is not None and record.is_live else RunRecord()
    runner = live.runner.pid if live.runner is not None else None
    return ServiceStatus(
        kind=manager.kind,
        file=manager.file,
        installed=home is not None,
        enabled=state.enabled,
        running=state.running,
        pid=state.pid,
        detail=state.detail,
        home=folder.path if home is None else home,
        by_hand=runner if runner != state.pid else None,
        running_version=live.versions.get("shim"),
        version=metadata.version("shim-stack"),
    )
