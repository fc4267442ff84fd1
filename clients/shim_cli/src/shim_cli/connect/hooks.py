"""The hooks that SHIM asks Claude Code and Codex to run, and the program behind them."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from shim_agent.connections import CLAUDE_CODE
from shim_cli.connect import programs
from shim_cli.connect.client_versions import COMMAND_ONLY
from shim_cli.connect.settings_file import HOOK_SCRIPT, KEY_VARIABLE
from shim_cli.home import INGEST_KEY, Home
from shim_common.contracts.base import JsonObject

HTTP_TIMEOUTS = {"PreToolUse": 2}
HTTP_TIMEOUT = 1
"""Seconds the client waits for an HTTP hook; whole ones, because older clients were not tried with fractions.

PreToolUse is one that SHIM may hold until a checkpoint is acknowledged.
"""

COMMAND_TIMEOUT = 3
"""Seconds after which the client ends a hook's command. The program has limits of its own well below."""

NEVER_HTTP = COMMAND_ONLY | {"SessionEnd"}
"""Events that are commands in any case: of a SessionEnd that nobody answers the client prints an error, always."""


@dataclass(frozen=True)
class HookProgram:
    """The program that command hooks run: an interpreter, the script, and what it needs to know."""

    python: Path
    script: Path
    port: int
    key_file: Path
    client: str = CLAUDE_CODE

    @classmethod
    def of(cls, home: Home, port: int, client: str = CLAUDE_CODE) -> "HookProgram":
        """Return the program for this data folder and the client that runs it."""
        return cls(programs.python(), programs.folder(home) / HOOK_SCRIPT, port, home.keys / INGEST_KEY, client)

    def install(self) -> None:
        """Put the script into the data folder."""
        programs.install(self.script, resources.files("shim_cli.hook").joinpath(HOOK_SCRIPT).read_bytes())

    def command(self, event: str) -> str:
        """Return the shell command of a hook: silent and successful also where the program is gone.

        The shell's parent is the client, which older versions tell in no other way.
        """
        python, script, key_file = (shlex.quote(str(path)) for path in (self.python, self.script, self.key_file))
        client = "" if self.client == CLAUDE_CODE else f" {self.client}"
        run = f'{python} -I -S -E {script} {self.port} {event} {key_file} "$PPID"{client} 2>/dev/null'
        return f"[ -x {python} ] && [ -f {script} ] && {run} || true"


def command_hooks(program: HookProgram, events: Sequence[str]) -> Mapping[str, JsonObject]:
    """Return a command hook for each event."""
    return {
        event: {"type": "command", "command": program.command(event), "timeout": COMMAND_TIMEOUT} for event in events
    }


def http_hooks(program: HookProgram, events: Sequence[str], url: str) -> Mapping[str, JsonObject]:
    """Return an HTTP hook for each event, and a command hook where HTTP would fail or be heard of."""
    hooks = dict(command_hooks(program, events))
    for event in events:
        if event not in NEVER_HTTP:
            hooks[event] = {
                "type": "http",
                "url": f"{url}/v1/hooks/claude-code/{event}",
                "timeout": HTTP_TIMEOUTS.get(event, HTTP_TIMEOUT),
                "headers": {"Authorization": f"Bearer ${{{KEY_VARIABLE}}}"},
                "allowedEnvVars": [KEY_VARIABLE],
            }
    return hooks
