"""The launchd agent's property list, rendered and read back. See launchd.plist(5)."""

import plistlib
from pathlib import Path
from xml.parsers.expat import ExpatError

from shim_stack.service.spec import LONGEST_STOP_SECONDS, MODULE, RUNNER_LOG, ServiceSpec

LABEL = "shim.stack"
THROTTLE_SECONDS = 30  # between two starts; launchd knows no limit to their number


def render_plist(spec: ServiceSpec) -> bytes:
    """The property list. `shim down` ends with exit code 0, after which launchd leaves the stack down."""
    log = str(spec.folder.logs / RUNNER_LOG)
    return plistlib.dumps(
        {
            "Label": LABEL,
            "ProgramArguments": list(spec.command),
            "EnvironmentVariables": {"SHIM_HOME": str(spec.folder.path), **spec.environ},
            "WorkingDirectory": "/",
            "RunAtLoad": True,
            "KeepAlive": {"SuccessfulExit": False},
            "ThrottleInterval": THROTTLE_SECONDS,
            "ExitTimeOut": LONGEST_STOP_SECONDS,
            "AbandonProcessGroup": True,  # what the agent opened for the user stays, as under systemd
            "Umask": 0o077,
            "StandardOutPath": log,
            "StandardErrorPath": log,
        }
    )


def home_in_plist(content: bytes) -> Path | None:
    """The data folder that a property list of ours serves; None where it is somebody else's."""
    try:
        values = plistlib.loads(content)
        ours = MODULE in values["ProgramArguments"]
        return Path(values["EnvironmentVariables"]["SHIM_HOME"]) if ours else None
    except (plistlib.InvalidFileException, ExpatError, ValueError, KeyError, TypeError):
        return None
