"""What installing needs of a service manager; systemd.py and launchd.py are the two there are."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shim_stack.folder import DataFolder
from shim_stack.service.errors import ManagerFailed
from shim_stack.service.spec import ServiceSpec


@dataclass(frozen=True)
class RenderedFile:
    """One file of the service as it should be; it may hold passwords."""

    path: Path
    content: bytes = field(repr=False)

    @property
    def is_there(self) -> bool:
        """Whether the file is on disk just so."""
        return self.path.is_file() and self.path.read_bytes() == self.content


@dataclass(frozen=True)
class ServiceState:
    """What the manager says of the service; None where it cannot be asked. `detail` is in its own words."""

    enabled: bool | None = None
    running: bool | None = None
    pid: int | None = None
    detail: str = ""


class Manager(Protocol):
    """A service manager of the user's own."""

    @property
    def kind(self) -> str:
        """What the service is called there, such as `systemd user unit`."""
        ...

    @property
    def file(self) -> Path:
        """The file that makes the service known."""
        ...

    def require(self) -> None:
        """Raise NoServiceManager, saying what to do, where it does not run."""
        ...

    def render(self, spec: ServiceSpec) -> Sequence[RenderedFile]:
        """Every file of the service, `file` first. Raises BadConfiguration."""
        ...

    def home(self) -> Path | None:
        """The data folder that the installed service serves; None where it is not installed. Raises NotOurs."""
        ...

    def companions(self, home: Path) -> Sequence[Path]:
        """The further files that a service on `home` has."""
        ...

    def state(self) -> ServiceState:
        """How the service fares. Does not raise."""
        ...

    def enable(self) -> None:
        """Read the files anew, and start the service at login from now on."""
        ...

    def start(self, folder: DataFolder) -> None:
        """Start the service, or start it again with the files as they are; returns when the stack is up."""
        ...

    def disable(self) -> None:
        """Stop the service, and no longer start it at login."""
        ...

    def forget(self) -> None:
        """Take note that the files are gone."""
        ...

    def advice(self) -> str | None:
        """What the user should know about when the service runs."""
        ...


@dataclass(frozen=True)
class Answer:
    """What a program said."""

    code: int
    out: str
    err: str


def ask(*command: str) -> Answer:
    """Run `command` and return what it said; exit code 127 where there is no such program."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL)
    except OSError as error:
        return Answer(127, "", f"{command[0]}: {error.strerror}")
    return Answer(done.returncode, done.stdout, done.stderr.strip())


def order(*command: str) -> None:
    """Run `command`. Raises ManagerFailed, with its words, where it fails."""
    answer = ask(*command)
    if answer.code != 0:
        raise ManagerFailed(f"`{' '.join(command)}` failed ({answer.code}): {answer.err or 'it did not say why'}")


def as_user() -> str:
    """The user's number, as the managers want it."""
    return str(os.getuid())
