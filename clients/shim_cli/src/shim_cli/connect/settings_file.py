"""The merge rules for an assistant's settings: what SHIM adds, how it knows its own again, and how it takes it out.

Pure: text in, text out. What SHIM added is recognised by what it says (its URLs, its script, its variable, its server
name), never by a remembered position, so that it can be taken out even when everything else about SHIM is gone.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from shim_cli.connect import json_text
from shim_cli.connect.json_text import Path
from shim_common.contracts.base import JsonObject
from shim_common.kernel.errors import Conflict

KEY_VARIABLE = "SHIM_INGEST_KEY"
"""The environment variable that carries the ingest key to HTTP hooks."""

Place = tuple[str, ...]
"""Where in a file MCP servers are registered."""

USER_SERVERS: Place = ("mcpServers",)
"""The place for servers that belong to the user and to no project."""

SERVER_NAME = "shim"
"""What the MCP server is called in the assistants' registrations."""

SERVER_MODULE = "shim_mcp"
"""What the MCP server is recognised by: the module that the interpreter is asked to run."""

SERVER_SCRIPT = "shim_mcp_bridge.py"
"""Or by the file name of the program that stands between a client and the server."""

HOOK_SCRIPT = "shim_hook.py"
"""The file name by which a command hook of SHIM is recognised."""

_HOOK_URL = re.compile(r"https?://[^/]+/v1/hooks/claude-code/\w+")
_ABSENT: Any = object()


@dataclass(frozen=True)
class Addition:
    """What SHIM puts into one settings file."""

    hooks: Mapping[str, JsonObject] = field(default_factory=dict)
    """Event -> hook, in a matcher group of its own."""

    env: Mapping[str, str] = field(default_factory=dict)
    """Variables for the assistant's environment."""

    server: JsonObject | None = None
    """The MCP server's registration."""

    server_place: Place = USER_SERVERS
    """Where registrations stand in this file."""


def parse(text: str) -> JsonObject:
    """Return what the text says.

    Raises:
        json_text.NotPlainJson: it is no plain JSON.
    """
    return json_text.parse(text)


def added(text: str, addition: Addition) -> str:
    """Return the text with the addition, placed behind whatever is there. SHIM's older parts must be out already.

    Raises:
        json_text.NotPlainJson: the text cannot be changed safely.
        Conflict: something of the user's stands where SHIM's part belongs.
    """
    settings = json_text.parse(text)
    _check_shapes(settings, addition)
    for event, hook in addition.hooks.items():
        groups = settings.get("hooks", {}).get(event, [])
        text = json_text.put(text, ("hooks", event, len(groups)), {"hooks": [hook]})
    for name, value in addition.env.items():
        text = json_text.put(text, ("env", name), value)
    if addition.server is not None:
        text = json_text.put(text, (*addition.server_place, SERVER_NAME), addition.server)
    return text


def removed(text: str, place: Place = USER_SERVERS, *, keep: frozenset[Path] = frozenset()) -> str:
    """Return the text without anything of SHIM's; containers left empty go too, except those named in `keep`.

    Raises:
        json_text.NotPlainJson: the text cannot be changed safely.
    """
    for path in _own_parts(json_text.parse(text), place):
        text = json_text.drop(text, path)
        text = _without_empty_parents(text, path[:-1], keep)
    return text


def containers(text: str, place: Place = USER_SERVERS) -> frozenset[Path]:
    """Return the places of the text that may hold parts of SHIM's and exist already."""
    settings = json_text.parse(text)
    hooks = settings.get("hooks")
    events = [("hooks", event) for event in hooks] if isinstance(hooks, dict) else []
    parents = [place[:depth] for depth in range(1, len(place) + 1)]
    paths: list[Path] = [("hooks",), ("env",), *events, *parents]
    return frozenset(path for path in paths if _lookup(settings, path) is not _ABSENT)


def holds_hooks(text: str) -> bool:
    """Tell whether hooks of SHIM stand in the text."""
    return any(path[0] == "hooks" for path in _own_parts(json_text.parse(text), ()))


def holds_key(text: str) -> bool:
    """Tell whether the ingest key stands in the text."""
    env = json_text.parse(text).get("env")
    return isinstance(env, dict) and KEY_VARIABLE in env


def _check_shapes(settings: JsonObject, addition: Addition) -> None:
    wanted: list[tuple[Path, type]] = []
    if addition.hooks:
        wanted += [(("hooks",), dict), *((("hooks", event), list) for event in addition.hooks)]
    if addition.env:
        wanted += [(("env",), dict)]
    if addition.server is not None:
        place = addition.server_place
        wanted += [(place[:depth], dict) for depth in range(1, len(place) + 1)]
        if _lookup(settings, (*place, SERVER_NAME)) is not _ABSENT:
            raise Conflict(
                f"another MCP server is already called {SERVER_NAME!r} there; rename it or take it out first"
            )
    for path, shape in wanted:
        value = _lookup(settings, path)
        if value is not _ABSENT and not isinstance(value, shape):
            named = ".".join(map(str, path))
            raise Conflict(f"{named} is not {'an object' if shape is dict else 'a list'}; correct it first")


def _own_parts(settings: JsonObject, place: Place) -> Iterator[Path]:
    """Yield the paths of SHIM's parts, later list positions first so that dropping one moves no other."""
    hooks = settings.get("hooks")
    for event, groups in hooks.items() if isinstance(hooks, dict) else ():
        yield from _own_hooks(("hooks", event), groups)
    env = settings.get("env")
    if isinstance(env, dict) and KEY_VARIABLE in env:
        yield ("env", KEY_VARIABLE)
    if is_own_server(_lookup(settings, (*place, SERVER_NAME))):
        yield (*place, SERVER_NAME)


def _own_hooks(event: Path, groups: object) -> Iterator[Path]:
    for position, group in _reversed(groups):
        hooks = group.get("hooks") if isinstance(group, dict) else None
        own = [index for index, hook in _reversed(hooks) if _is_own_hook(hook)]
        if isinstance(hooks, list) and own and len(own) == len(hooks):
            yield (*event, position)
        else:
            yield from ((*event, position, "hooks", index) for index in own)


def is_own_server(server: object) -> bool:
    """Tell whether a registration is of SHIM's server."""
    arguments = server.get("args") if isinstance(server, dict) else None
    return isinstance(arguments, list) and any(
        argument == SERVER_MODULE or (isinstance(argument, str) and argument.endswith(SERVER_SCRIPT))
        for argument in arguments
    )


def _is_own_hook(hook: object) -> bool:
    if not isinstance(hook, dict):
        return False
    url, command = hook.get("url"), hook.get("command")
    return (isinstance(url, str) and _HOOK_URL.fullmatch(url) is not None) or (
        isinstance(command, str) and HOOK_SCRIPT in command
    )


def _without_empty_parents(text: str, path: Path, keep: frozenset[Path]) -> str:
    while path and path not in keep and _lookup(json_text.parse(text), path) in ({}, []):
        text = json_text.drop(text, path)
        path = path[:-1]
    return text


def _lookup(settings: object, path: Path) -> Any:  # noqa: ANN401 - any JSON value
    for step in path:
        if not isinstance(settings, dict) or step not in settings:
            return _ABSENT
        settings = settings[step]
    return settings


def _reversed(items: object) -> list[tuple[int, Any]]:
    return list(enumerate(items))[::-1] if isinstance(items, list) else []
