"""The stack as a launchd agent (macOS)."""

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from shim_stack.folder import DataFolder
from shim_stack.record import read_record
from shim_stack.service.errors import ManagerFailed, NoServiceManager, NotOurs
from shim_stack.service.manager import RenderedFile, ServiceState, as_user, ask, order
from shim_stack.service.plist import LABEL, home_in_plist, render_plist
from shim_stack.service.spec import LONGEST_START_SECONDS, LONGEST_STOP_SECONDS, ServiceSpec

POLL_SECONDS = 0.2

_PID = re.compile(r"^\s*pid = (\d+)$", re.MULTILINE)
_STATE = re.compile(r"^\s*state = (.+)$", re.MULTILINE)
_DISABLED = re.compile(rf'"{re.escape(LABEL)}" => (disabled|true)\b')


def stack_is_up(folder: DataFolder) -> bool:
    """Whether a stack on `folder` has come up."""
    record = read_record(folder.run_record)
    return record is not None and record.is_live and record.ready_at is not None


class Launchd:
    """The user's launchd domain of the graphical login (`gui/<uid>`)."""

    kind = "launchd agent"

    def __init__(self, home: Path, is_up: Callable[[DataFolder], bool] = stack_is_up) -> None:
        self.file = home / "Library" / "LaunchAgents" / f"{LABEL}.plist"
        self._is_up = is_up
        self._domain = f"gui/{as_user()}"
        self._service = f"{self._domain}/{LABEL}"

    def require(self) -> None:
        """Raise NoServiceManager where the user has no graphical login."""
        answer = ask("launchctl", "print", self._domain)
        if answer.code != 0:
            raise NoServiceManager(
                f"launchd has no login of yours ({answer.err}), so nothing was changed. Log in at the screen and try "
                f"again there; until then start SHIM with `shim up`."
            )

    def render(self, spec: ServiceSpec) -> Sequence[RenderedFile]:
        """The property list."""
        return (RenderedFile(self.file, render_plist(spec)),)

    def home(self) -> Path | None:
        """The data folder in the property list; None where there is none. Raises NotOurs."""
        if not self.file.exists():
            return None
        home = home_in_plist(self.file.read_bytes())
        if home is None:
            raise NotOurs(f"{self.file} was not made by `shim service install`; move it away first.")
        return home

    def companions(self, home: Path) -> Sequence[Path]:  # noqa: ARG002 - the property list holds the variables itself
        """None."""
        return ()

    def state(self) -> ServiceState:
        """What `launchctl print` says."""
        if ask("launchctl", "print", self._domain).code != 0:
            return ServiceState(detail="launchd has no login of yours")
        answer = ask("launchctl", "print", self._service)
        loaded = answer.code == 0
        pid, state = _PID.search(answer.out), _STATE.search(answer.out)
        return ServiceState(
            enabled=self.file.exists() and not self._is_disabled(),
            running=loaded and pid is not None,
            pid=int(pid.group(1)) if loaded and pid else None,
            detail=state.group(1) if loaded and state else "not loaded",
        )

    def enable(self) -> None:
        """Undo a `launchctl disable`; launchd reads the property list when it is loaded."""
        if self._is_disabled():
            order("launchctl", "enable", self._service)

    def start(self, folder: DataFolder) -> None:
        """Load the property list, which starts the stack, and wait until it is up. Raises ManagerFailed."""
        self._unload()
        order("launchctl", "bootstrap", self._domain, str(self.file))
        message = (
            f"The agent is installed, but the stack on {folder.path} does not come up: `shim logs runner` shows why; "
            f"`shim service uninstall` takes the agent out again."
        )
        _wait(lambda: self._is_up(folder), LONGEST_START_SECONDS, message)

    def disable(self) -> None:
        """Stop the agent and unload it."""
        self._unload()

    def forget(self) -> None:
        """Nothing: launchd looks for property lists at login."""

    def advice(self) -> str | None:
        """When it runs."""
        return "SHIM starts when you log in at the screen and stops when you log out."

    def _is_disabled(self) -> bool:
        return _DISABLED.search(ask("launchctl", "print-disabled", self._domain).out) is not None

    def _unload(self) -> None:
        if not self._is_loaded():
            return
        order("launchctl", "bootout", self._service)
        # bootout may return before the service is gone, and bootstrap would then fail
        _wait(lambda: not self._is_loaded(), LONGEST_STOP_SECONDS, f"launchd does not let go of {LABEL}.")

    def _is_loaded(self) -> bool:
        return ask("launchctl", "print", self._service).code == 0


def _wait(condition: Callable[[], bool], seconds: float, message: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise ManagerFailed(message)
        time.sleep(POLL_SECONDS)
