"""Connecting Codex: its MCP server in `config.toml`, its hooks in `hooks.json`, and taking both out again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shim_agent import connections
from shim_cli.connect import client_versions, toml_file
from shim_cli.connect.bridge import Bridge
from shim_cli.connect.client_versions import Version
from shim_cli.connect.disk import Edit
from shim_cli.connect.edits import Editor
from shim_cli.connect.hooks import HookProgram, command_hooks
from shim_cli.connect.layout import CodexFiles
from shim_cli.connect.programs import local_port
from shim_cli.connect.receipts import Receipts
from shim_cli.connect.settings_file import Addition
from shim_cli.home import Home
from shim_common.contracts.base import JsonObject
from shim_common.kernel.clock import Clock

HOOKS_SINCE: Version = (0, 169, 0)
"""The oldest version whose hooks were seen to fire, and with these payloads."""

EVENTS = (
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PreCompact",
    "PostCompact",
    "Stop",
    "SessionEnd",
)
"""The events that SHIM listens to. PermissionRequest is left out for good: its hook decides."""

TRUST = "Codex runs new hooks only once you have trusted them: start `codex` and look at /hooks"


@dataclass(frozen=True)
class Plan:
    """What connecting will write, and what the user should know of it."""

    files: CodexFiles
    program: HookProgram
    bridge: Bridge
    hooks: Addition
    registration: Addition
    notes: Sequence[str]


def plan(files: CodexFiles, version: Version | None, home: Home, environ: Mapping[str, str]) -> Plan:
    """Work out what to write; nothing is changed. `version` is Codex's, None where none is installed.

    Raises:
        Refused: SHIM is not on this machine, or the MCP server is not installed.
    """
    port = local_port(home.url)
    program = HookProgram.of(home, port, connections.CODEX)
    has_hooks = version is not None and version >= HOOKS_SINCE
    bridge = Bridge.of(home, port)
    return Plan(
        files,
        program,
        bridge,
        Addition(command_hooks(program, EVENTS) if has_hooks else {}),
        Addition(server=_registration(bridge), server_place=toml_file.SERVERS),
        [*_notes(version, has_hooks=has_hooks), *_environment_notes(files, environ)],
    )


def edits(plan: Plan, home: Home, clock: Clock) -> list[Edit]:
    """Work out the files as the plan wants them; nothing is changed.

    Raises:
        Refused: a file cannot be changed without losing something.
        Conflict: something of the user's stands where SHIM's part belongs.
    """
    hooks, config = _editors(plan.files, home, clock)
    worked_out = [hooks.connected(plan.files.hooks, plan.hooks)] if plan.hooks.hooks else []
    return [*worked_out, config.connected(plan.files.config, plan.registration)]


def connect(plan: Plan, home: Home, clock: Clock) -> list[Edit]:
    """Write what the plan says and let the agent look at the client; return the edits, made or needless.

    Raises:
        Refused, Conflict: as for `edits`.
        Forbidden: a file cannot be written.
    """
    edits(plan, home, clock)  # what is refused must be refused before the first file is written
    plan.program.install()
    plan.bridge.install()
    hooks, config = _editors(plan.files, home, clock)
    made = []
    if plan.hooks.hooks:
        made.append(hooks.make(lambda: hooks.connected(plan.files.hooks, plan.hooks), keep_receipt=True))
    made.append(config.make(lambda: config.connected(plan.files.config, plan.registration), keep_receipt=True))
    connections.connect(home.folder, connections.CODEX, plan.files.config_dir, clock.now())
    return made


def disconnect(files: CodexFiles, home: Home, clock: Clock) -> list[Edit]:
    """Take SHIM's parts out of the client's files again; return the edits, made or needless.

    Raises:
        Refused: a file cannot be changed without losing something.
        Forbidden: a file cannot be written.
    """
    hooks, config = _editors(files, home, clock)
    made = [
        hooks.make(lambda: hooks.disconnected(files.hooks), keep_receipt=False),
        config.make(lambda: config.disconnected(files.config, toml_file.SERVERS), keep_receipt=False),
    ]
    if home.folder.is_dir():
        connections.disconnect(home.folder, connections.CODEX, files.config_dir)
    return made


def _editors(files: CodexFiles, home: Home, clock: Clock) -> tuple[Editor, Editor]:
    receipts = Receipts(home.backups)
    return Editor(receipts, files.config_dir, clock), Editor(receipts, files.config_dir, clock, toml_file)


def _registration(bridge: Bridge) -> JsonObject:
    """Return how Codex starts the server; it knows no `type`, and gives its servers an environment of its own."""
    whole = bridge.registration()
    return {"command": whole["command"], "args": whole["args"]}


def _notes(version: Version | None, *, has_hooks: bool) -> list[str]:
    if has_hooks:
        return [TRUST]
    since = client_versions.shown(HOOKS_SINCE)
    seen = "no `codex` on the search path" if version is None else f"Codex {client_versions.shown(version)} is older"
    return [f"no hooks, as SHIM knows those of Codex {since} and newer: {seen} (or give --client-version)"]


def _environment_notes(files: CodexFiles, environ: Mapping[str, str]) -> list[str]:
    named = environ.get("CODEX_HOME")
    if named and Path(named) != files.config_dir:
        return [f"CODEX_HOME is {named}, not the folder that you connect"]
    return []
