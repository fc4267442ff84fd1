"""What the service is to run: this installation, on this data folder, with what the user set."""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shim_stack.errors import BadConfiguration
from shim_stack.folder import DataFolder
from shim_stack.settings import BIND, HOST, SPLIT, data_folder

MODULE = "shim_stack.service"
LONGEST_START_SECONDS = 300
"""Three stages of at most READY_SECONDS (60 s), the whole's CONFIRM_SECONDS (30 s), and a new cluster before."""
LONGEST_STOP_SECONDS = 120
"""All processes stop one after the other: the sum of their graces is 67 s."""
RUNNER_LOG = "runner.log"

_TAKEN = (BIND, SPLIT, "DATABASE_URL", "REDIS_URL")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_UNWRITABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True)
class ServiceSpec:
    """The interpreter, the data folder and the variables that the stack is given besides SHIM_HOME."""

    interpreter: str
    folder: DataFolder
    environ: Mapping[str, str] = field(repr=False)

    @property
    def command(self) -> tuple[str, ...]:
        """The argument list; -P: nothing is imported from the working directory."""
        return (self.interpreter, "-P", "-m", MODULE)


def service_spec(
    environ: Mapping[str, str],
    *,
    port: int | None = None,
    split: bool = False,
    keep: Sequence[str] = (),
    interpreter: str = sys.executable,
) -> ServiceSpec:
    """What the environment and the options ask for; `keep` names further variables to take along.

    Raises BadConfiguration where something cannot be written into a service's file.
    """
    wanted = {name: environ[name] for name in _TAKEN if environ.get(name)}
    wanted |= {name: _kept(name, environ) for name in keep}
    wanted |= {BIND: f"{HOST}:{port}"} if port else {}
    wanted |= {SPLIT: "1"} if split else {}
    folder = data_folder(environ)
    for name, value in {"SHIM_HOME": str(folder.path), "the interpreter's path": interpreter, **wanted}.items():
        if _UNWRITABLE.search(value):
            raise BadConfiguration(
                f"{name} holds a control character or a byte that is no text; a service's file cannot."
            )
    return ServiceSpec(interpreter, folder, wanted)


def _kept(name: str, environ: Mapping[str, str]) -> str:
    if not _NAME.fullmatch(name) or name not in environ:
        raise BadConfiguration(f"There is no variable {name!r} to keep.")
    return environ[name]
