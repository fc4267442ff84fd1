"""Where the assistants keep their settings."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from shim_cli.connect.settings_file import USER_SERVERS, Place

DESKTOP_FILE = "claude_desktop_config.json"


class Scope(StrEnum):
    """Whom a connection is for: all the user's projects, or one."""

    USER = "user"
    PROJECT = "project"


@dataclass(frozen=True)
class ClaudeCodeFiles:
    """Claude Code's files for one scope: hooks stand in `settings`, the MCP server in `registry` at `server_place`."""

    config_dir: Path
    settings: Path
    registry: Path
    server_place: Place

    @classmethod
    def of(
        cls, environ: Mapping[str, str], scope: Scope, *, config_dir: Path | None, project: Path
    ) -> "ClaudeCodeFiles":
        """Return the files, as the client itself would find them.

        The registry lies in the configuration folder if `CLAUDE_CONFIG_DIR` names one, else beside the default one.
        """
        default = Path.home() / ".claude"
        named = environ.get("CLAUDE_CONFIG_DIR")
        folder = (config_dir or Path(named or default)).expanduser().absolute()
        beside = not named and folder == default
        registry = Path.home() / ".claude.json" if beside else folder / ".claude.json"
        if scope is Scope.USER:
            return cls(folder, folder / "settings.json", registry, USER_SERVERS)
        # What a person adds for a project without sharing it stands in these two places.
        local = project / ".claude" / "settings.local.json"
        return cls(folder, local, registry, ("projects", str(project), "mcpServers"))


@dataclass(frozen=True)
class CodexFiles:
    """Codex's files: hooks stand in `hooks`, the MCP server in `config`."""

    config_dir: Path
    config: Path
    hooks: Path

    @classmethod
    def of(cls, environ: Mapping[str, str], config_dir: Path | None) -> "CodexFiles":
        """Return the files, as the client itself would find them."""
        named = environ.get("CODEX_HOME")
        folder = (config_dir or Path(named or Path.home() / ".codex")).expanduser().absolute()
        return cls(folder, folder / "config.toml", folder / "hooks.json")


def desktop_file(environ: Mapping[str, str], platform: str = sys.platform) -> Path:
    """Return Claude Desktop's configuration file."""
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "Claude" / DESKTOP_FILE
    if platform == "win32":
        return Path(environ.get("APPDATA", Path.home() / "AppData" / "Roaming")) / "Claude" / DESKTOP_FILE
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "Claude" / DESKTOP_FILE
