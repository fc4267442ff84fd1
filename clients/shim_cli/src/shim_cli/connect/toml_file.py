"""The merge rules for Codex's `config.toml`: where SHIM's MCP server stands, and how it is known again.

Pure: text in, text out. Everything else in the file stays as it is, comments and order included; where that cannot be
shown, because reading the new text gives anything but what was wanted, the file is refused.
"""

import copy
import tomllib
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import AbstractTable, InlineTable

from shim_cli.connect.json_text import Path
from shim_cli.connect.settings_file import SERVER_NAME, Addition, Place, is_own_server
from shim_common.contracts.base import JsonObject
from shim_common.kernel.errors import Conflict

SERVERS: Place = ("mcp_servers",)
"""Where Codex registers MCP servers."""


class NotPlainToml(ValueError):
    """The text is no TOML that can be changed without losing something; the message says why."""


def parse(text: str) -> JsonObject:
    """Return what the text says.

    Raises:
        NotPlainToml: it is no TOML.
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotPlainToml(str(error)) from None


def added(text: str, addition: Addition) -> str:
    """Return the text with the addition's server. SHIM's older part must be out already.

    Raises:
        NotPlainToml: the text cannot be changed safely.
        Conflict: something of the user's stands where SHIM's part belongs.
    """
    wanted = parse(text)
    (name,) = addition.server_place
    servers = wanted.setdefault(name, {})
    if not isinstance(servers, dict):
        raise Conflict(f"{name} is not a table; correct it first")
    if SERVER_NAME in servers:
        raise Conflict(f"another MCP server is already called {SERVER_NAME!r} there; rename it or take it out first")
    servers[SERVER_NAME] = dict(addition.server or {})
    document = _document(text)
    if name not in document:
        document.append(name, tomlkit.table(is_super_table=True))
    table = _table(document, name)
    table.append(SERVER_NAME, _registration(addition.server or {}, inline=isinstance(table, InlineTable)))
    return _checked(tomlkit.dumps(document), wanted)


def removed(text: str, place: Place = SERVERS, *, keep: frozenset[Path] = frozenset()) -> str:
    """Return the text without SHIM's server; the table of servers goes too if it is empty, unless `keep` names it.

    Raises:
        NotPlainToml: the text cannot be changed safely.
    """
    wanted = parse(text)
    (name,) = place
    servers = wanted.get(name)
    if not isinstance(servers, dict) or not is_own_server(servers.get(SERVER_NAME)):
        return text
    document = _document(text)
    del servers[SERVER_NAME]
    _table(document, name).remove(SERVER_NAME)
    if not servers and place not in keep:
        del wanted[name]
        document.remove(name)
    return _checked(tomlkit.dumps(document), wanted)


def containers(text: str, place: Place = SERVERS) -> frozenset[Path]:
    """Return the place, if the text has something there already."""
    return frozenset({place} if place[0] in parse(text) else ())


def holds_key(text: str) -> bool:
    """Tell whether the ingest key stands in the text: it never does, Codex's hooks are commands."""
    del text
    return False


def _document(text: str) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(text)
    except TOMLKitError as error:
        raise NotPlainToml(str(error)) from None


def _table(document: tomlkit.TOMLDocument, name: str) -> AbstractTable:
    table: Any = document[name]
    if not isinstance(table, AbstractTable):
        raise NotPlainToml(f"{name} is spread over the file; write it in one place first")
    return table


def _registration(server: JsonObject, *, inline: bool) -> AbstractTable:
    table: AbstractTable = tomlkit.inline_table() if inline else tomlkit.table()
    for name, value in copy.deepcopy(server).items():
        table.append(name, value)
    return table


def _checked(text: str, wanted: JsonObject) -> str:
    if parse(text) != wanted:
        raise NotPlainToml("SHIM's part cannot be told from the rest of it")
    return text
