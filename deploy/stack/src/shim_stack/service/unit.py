"""The systemd user unit and its environment file, rendered; and read back. See systemd.unit(5), systemd.exec(5)."""

import configparser
import glob
import json
from pathlib import Path

from shim_stack.errors import BadConfiguration
from shim_stack.service.holding import EXIT_ALREADY_RUNNING
from shim_stack.service.spec import LONGEST_START_SECONDS, LONGEST_STOP_SECONDS, RUNNER_LOG, ServiceSpec

ENVIRONMENT_FILE = "service.env"
WATCHDOG_SECONDS = 60

_MARK = "X-Shim"  # systemd passes over sections that begin with X-
_TEMPLATE = """\
# Made by `shim service install`, which writes it anew. Put changes of your own into a drop-in:
# systemctl --user edit shim.service

[Unit]
Description=SHIM, which keeps AI coding sessions safe across crashes
StartLimitIntervalSec=600
StartLimitBurst=5

[Service]
Type=notify
ExecStart={command}
Environment={home}
EnvironmentFile={environment_file}
WorkingDirectory=/
StandardOutput=append:{log}
StandardError=inherit
Restart=on-failure
RestartSec=5
RestartPreventExitStatus={already_running}
TimeoutStartSec={start_seconds}
TimeoutStopSec={stop_seconds}
WatchdogSec={watchdog_seconds}
# SIGTERM, so that a stack of which one process hangs is stopped in order.
WatchdogSignal=SIGTERM
# The runner stops its own processes. What the agent opened for you, such as a terminal, is yours and stays; it is
# also why nothing here takes away rights or hides files: your sessions would lose them with it.
KillMode=process
OOMPolicy=continue
UMask=0077
LimitCORE=0:infinity

[Install]
WantedBy=default.target

[{mark}]
Home={mark_home}
"""


def render_unit(spec: ServiceSpec) -> str:
    """The unit. Raises BadConfiguration where systemd could not run the interpreter from its path."""
    if any(character in spec.interpreter for character in "\"'\\$"):
        raise BadConfiguration(f"systemd cannot run {spec.interpreter}: there is a quote, a backslash or a $ in it.")
    home = spec.folder.path
    return _TEMPLATE.format(
        command=" ".join(_quoted(word) for word in spec.command),
        home=_quoted(f"SHIM_HOME={home}"),
        environment_file=_doubled(_without_wildcards(home / ENVIRONMENT_FILE)),
        log=_doubled(str(spec.folder.logs / RUNNER_LOG)),
        already_running=EXIT_ALREADY_RUNNING,
        start_seconds=LONGEST_START_SECONDS,
        stop_seconds=LONGEST_STOP_SECONDS,
        watchdog_seconds=WATCHDOG_SECONDS,
        mark=_MARK,
        mark_home=json.dumps(str(home)),
    )


def render_environment(spec: ServiceSpec) -> str:
    """The environment file: values in double quotes, as a shell would read them."""
    lines = [f'{name}="{_escaped(value)}"' for name, value in sorted(spec.environ.items())]
    return "\n".join(["# Made by `shim service install`, which writes it anew.", *lines, ""])


def home_in_unit(text: str) -> Path | None:
    """The data folder that a unit of ours serves; None where the unit is somebody else's."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#", ";"))
    try:
        parser.read_string(text)
        return Path(json.loads(parser.get(_MARK, "Home")))
    except (configparser.Error, ValueError, TypeError):
        return None


def _quoted(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_doubled(escaped)}"'


def _doubled(text: str) -> str:
    """A percent sign begins a specifier unless it is doubled."""
    return text.replace("%", "%%")


def _without_wildcards(path: Path) -> str:
    """systemd takes the name of an environment file for a pattern."""
    return glob.escape(str(path).replace("\\", "\\\\"))


def _escaped(value: str) -> str:
    return "".join(f"\\{character}" if character in '\\"`$' else character for character in value)
