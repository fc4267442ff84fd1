"""The stack as a systemd user unit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from shim_stack.folder import DataFolder
from shim_stack.service.errors import ManagerFailed, NoServiceManager, NotOurs
from shim_stack.service.manager import RenderedFile, ServiceState, as_user, ask, order
from shim_stack.service.spec import ServiceSpec
from shim_stack.service.unit import ENVIRONMENT_FILE, home_in_unit, render_environment, render_unit

UNIT = "shim.service"
BOOTED = Path("/run/systemd/system")
"""Is there where systemd is process 1: sd_booted(3)."""

_PROPERTIES = "UnitFileState,ActiveState,SubState,MainPID,StatusText"


class Systemd:
    """The user's own systemd (`systemctl --user`)."""

    kind = "systemd user unit"

    def __init__(self, environ: Mapping[str, str], booted: Path = BOOTED) -> None:
        config = Path(environ.get("XDG_CONFIG_HOME", ""))
        folder = config if config.is_absolute() else Path("~/.config").expanduser()
        self.file = folder / "systemd" / "user" / UNIT
        self._booted = booted

    def require(self) -> None:
        """Raise NoServiceManager where systemd does not run this machine or not for this user."""
        if not self._booted.is_dir():
            raise NoServiceManager(
                "systemd does not run this machine (it is not process 1), so nothing was changed. Start SHIM with "
                "`shim up`; in a container let `shim up --foreground` be the command. Under WSL2 write systemd=true "
                "below [boot] in /etc/wsl.conf and run `wsl --shutdown`. `shim service install --render` prints the "
                "unit for another machine."
            )
        answer = ask("systemctl", "--user", "show-environment")
        if answer.code != 0:
            raise NoServiceManager(
                f"Your own systemd cannot be reached ({answer.err}), so nothing was changed. Log in as yourself, not "
                f"by su or sudo; over ssh: export XDG_RUNTIME_DIR=/run/user/$(id -u)"
            )

    def render(self, spec: ServiceSpec) -> Sequence[RenderedFile]:
        """The unit and its environment file. Raises BadConfiguration."""
        environment = spec.folder.path / ENVIRONMENT_FILE
        return (
            RenderedFile(self.file, render_unit(spec).encode()),
            RenderedFile(environment, render_environment(spec).encode()),
        )

    def home(self) -> Path | None:
        """The data folder in the unit; None where there is no unit. Raises NotOurs."""
        if not self.file.exists():
            return None
        home = home_in_unit(self.file.read_text(encoding="utf-8", errors="replace"))
        if home is None:
            raise NotOurs(f"{self.file} was not made by `shim service install`; move it away first.")
        return home

    def companions(self, home: Path) -> Sequence[Path]:
        """The environment file."""
        return (home / ENVIRONMENT_FILE,)

    def state(self) -> ServiceState:
        """What `systemctl --user show` says."""
        answer = ask("systemctl", "--user", "show", UNIT, f"--property={_PROPERTIES}")
        if answer.code != 0:
            return ServiceState(detail=answer.err)
        said = dict(line.partition("=")[::2] for line in answer.out.splitlines())
        active = said.get("ActiveState", "")
        # systemd keeps the last text of a service that has ended, where it is of use only after a failure
        text = "" if active == "inactive" else said.get("StatusText")
        return ServiceState(
            enabled=said.get("UnitFileState") == "enabled",
            running=active in {"active", "reloading"},
            pid=int(said.get("MainPID") or 0) or None,
            detail=": ".join(filter(None, (f"{active} ({said.get('SubState', '')})", text))),
        )

    def enable(self) -> None:
        """Let systemd read the unit, and start it at login."""
        order("systemctl", "--user", "daemon-reload")
        order("systemctl", "--user", "enable", UNIT)

    def start(self, folder: DataFolder) -> None:
        """Start the unit or start it again; systemctl returns when it is ready. Raises ManagerFailed."""
        ask("systemctl", "--user", "reset-failed", UNIT)  # else the limit of starts would still hold
        try:
            order("systemctl", "--user", "restart", UNIT)  # which starts one that does not run
        except ManagerFailed as error:
            raise ManagerFailed(
                f"{error} The unit is installed, but the stack does not come up: `shim logs runner` with "
                f"SHIM_HOME={folder.path}, or `systemctl --user status {UNIT}`, shows why; `shim service uninstall` "
                f"takes the unit out again."
            ) from None

    def disable(self) -> None:
        """Stop the unit and no longer start it at login."""
        order("systemctl", "--user", "disable", "--now", UNIT)

    def forget(self) -> None:
        """Let systemd see that the unit is gone."""
        order("systemctl", "--user", "daemon-reload")
        ask("systemctl", "--user", "reset-failed", UNIT)

    def advice(self) -> str | None:
        """About lingering, unless it is on."""
        if "Linger=yes" in ask("loginctl", "show-user", as_user(), "--property=Linger").out.split():
            return None
        return (
            "SHIM starts when you log in and stops when you have logged out everywhere, as lingering is off for you. "
            "To have it run from the start of the machine, and on while you are away: loginctl enable-linger "
            "(it keeps all your user services running without a login; loginctl disable-linger takes it back)."
        )
