"""Connecting Claude Code: which hooks it gets, in which files, and taking all of it out again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shim_agent import connections
from shim_cli.connect import client_versions, disk, json_text, settings_file
from shim_cli.connect.bridge import Bridge
from shim_cli.connect.client_versions import Version
from shim_cli.connect.disk import Edit
from shim_cli.connect.edits import Editor
from shim_cli.connect.git import why_committed
from shim_cli.connect.hooks import HookProgram, command_hooks, http_hooks
from shim_cli.connect.layout import ClaudeCodeFiles, Scope
from shim_cli.connect.programs import local_port
from shim_cli.connect.receipts import Receipts
from shim_cli.connect.settings_file import KEY_VARIABLE, Addition
from shim_cli.errors import Refused
from shim_cli.home import Home
from shim_common.contracts.base import JsonObject
from shim_common.kernel.clock import Clock

_PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy")
_HOOK_LIMITS = ("allowedHttpHookUrls", "httpHookAllowedEnvVars")


class Transport(StrEnum):
    """How hooks reach SHIM.

    A command hook says nothing when SHIM is away, passes by proxies and keeps the key in its own file; it costs
    about 5 ms more than an HTTP hook, of which the client shows every failed one on its screen. So AUTO is COMMAND.
    """

    AUTO = "auto"
    COMMAND = "command"
    HTTP = "http"


@dataclass(frozen=True)
class Wish:
    """What the user asked for."""

    files: ClaudeCodeFiles
    scope: Scope
    transport: Transport
    version: Version | None


@dataclass(frozen=True)
class Plan:
    """What connecting will write, and what the user should know of it."""

    files: ClaudeCodeFiles
    program: HookProgram
    bridge: Bridge
    settings: Addition
    registration: Addition
    notes: Sequence[str]


def plan(wish: Wish, home: Home, environ: Mapping[str, str]) -> Plan:
    """Work out what to write; nothing is changed.

    Raises:
        Refused: it would put a secret or machine-local settings where they get committed, or reach no one; or the
            MCP server is not installed.
        NotRunning: HTTP hooks need a key and SHIM has not made one yet.
    """
    port = local_port(home.url)
    program = HookProgram.of(home, port)
    version = wish.version or client_versions.OLDEST
    events = client_versions.known_events(version)
    notes = _notes(wish, environ)
    if wish.scope is Scope.PROJECT:
        _check_ignored(wish.files.settings)
    if wish.transport is Transport.HTTP:
        _check_http(wish, environ)
        url = f"http://127.0.0.1:{port}"
        addition = Addition(http_hooks(program, events, url), {KEY_VARIABLE: home.ingest_key()})
    else:
        addition = Addition(command_hooks(program, events))
    bridge = Bridge.of(home, port)
    registration = Addition(server=bridge.registration(), server_place=wish.files.server_place)
    return Plan(wish.files, program, bridge, addition, registration, notes)


def edits(plan: Plan, editor: Editor) -> list[Edit]:
    """Work out the files as the plan wants them; nothing is changed.

    Raises:
        Refused: a file cannot be changed without losing something.
        Conflict: something of the user's stands where SHIM's part belongs.
    """
    return [
        editor.connected(plan.files.settings, plan.settings),
        editor.connected(plan.files.registry, plan.registration),
    ]


def connect(plan: Plan, home: Home, clock: Clock) -> list[Edit]:
    """Write what the plan says and let the agent look at the client; return the edits, made or needless.

    Raises:
        Refused, Conflict: as for `edits`.
        Forbidden: a file cannot be written.
    """
    editor = editor_for(home, plan.files, clock)
    edits(plan, editor)  # what is refused must be refused before the first file is written
    plan.program.install()
    plan.bridge.install()
    made = [
        editor.make(lambda: editor.connected(plan.files.settings, plan.settings), keep_receipt=True),
        editor.make(lambda: editor.connected(plan.files.registry, plan.registration), keep_receipt=True),
    ]
    connections.connect(home.folder, connections.CLAUDE_CODE, plan.files.config_dir, clock.now())
    return made


def disconnect(files: ClaudeCodeFiles, home: Home, clock: Clock) -> list[Edit]:
    """Take SHIM's parts out of the client's files again; return the edits, made or needless.

    Raises:
        Refused: a file cannot be changed without losing something.
        Forbidden: a file cannot be written.
    """
    editor = editor_for(home, files, clock)
    made = [
        editor.make(lambda: editor.disconnected(files.settings), keep_receipt=False),
        editor.make(lambda: editor.disconnected(files.registry, files.server_place), keep_receipt=False),
    ]
    # Without its data folder SHIM is gone: there is no agent to tell, and no folder to make for telling it.
    if home.folder.is_dir() and not _is_hooked(editor.receipts, files.config_dir):
        connections.disconnect(home.folder, connections.CLAUDE_CODE, files.config_dir)
    return made


def editor_for(home: Home, files: ClaudeCodeFiles, clock: Clock) -> Editor:
    """Return the editor of the files of one configuration folder."""
    return Editor(Receipts(home.backups), files.config_dir, clock)


def _check_ignored(settings: Path) -> None:
    why = why_committed(settings, Path.home())
    if why:
        raise Refused(f"{why}; add .claude/settings.local.json to .gitignore or .git/info/exclude first")


def _check_http(wish: Wish, environ: Mapping[str, str]) -> None:
    """Refuse HTTP hooks where they would give the key away or never arrive."""
    if wish.version is None or wish.version < client_versions.HTTP_HOOKS_SINCE:
        since = client_versions.shown(client_versions.HTTP_HOOKS_SINCE)
        raise Refused(f"HTTP hooks need Claude Code {since} or newer; name yours with --client-version")
    why = "project settings must not hold the key" if wish.scope is Scope.PROJECT else None
    why = why or why_committed(wish.files.settings, Path.home())
    settings = _settings(wish.files.settings)
    why = why or next(
        (f"{name} in {wish.files.settings} limits them" for name in _HOOK_LIMITS if name in settings), None
    )
    env = settings.get("env")
    variables = {**environ, **(env if isinstance(env, dict) else {})}
    if any(variables.get(name) for name in _PROXIES) and "127.0.0.1" not in _no_proxy(variables):
        why = why or "they would go through the proxy of the environment, key and all; set NO_PROXY=127.0.0.1"
    if why:
        raise Refused(f"no HTTP hooks here: {why}. Use --hooks command")


def _no_proxy(variables: Mapping[str, object]) -> str:
    return f"{variables.get('NO_PROXY', '')},{variables.get('no_proxy', '')}"


def _notes(wish: Wish, environ: Mapping[str, str]) -> list[str]:
    notes = []
    if wish.version is None:
        oldest = client_versions.shown(client_versions.OLDEST)
        notes.append(f"no `claude` on the search path: hooks as {oldest} knows them (or give --client-version)")
    if wish.transport is Transport.HTTP:
        notes.append("Claude Code shows an error for every HTTP hook while SHIM is down")
        notes.append(f"{KEY_VARIABLE} is visible to every command that the assistant runs; it may only add to sessions")
    if _settings(wish.files.settings).get("disableAllHooks"):
        notes.append(f"disableAllHooks is on in {wish.files.settings}: no hook will run until you take it out")
    if environ.get("CLAUDE_CONFIG_DIR") and Path(environ["CLAUDE_CONFIG_DIR"]) != wish.files.config_dir:
        notes.append(f"CLAUDE_CONFIG_DIR is {environ['CLAUDE_CONFIG_DIR']}, not the folder that you connect")
    return notes


def _settings(path: Path) -> JsonObject:
    """Return the settings as far as they can be read; what is wrong with them is said when they are edited."""
    try:
        return json_text.parse(disk.find(path).text)
    except (Refused, json_text.NotPlainJson):
        return {}


def _is_hooked(receipts: Receipts, config_dir: Path) -> bool:
    """Tell whether another scope of the same configuration folder is still connected."""
    return any(_holds_hooks(path) for path in receipts.written(config_dir))


def _holds_hooks(path: Path) -> bool:
    try:
        return settings_file.holds_hooks(disk.find(path).text)
    except (Refused, json_text.NotPlainJson):
        return False
