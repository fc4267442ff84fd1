"""Configuration folders of clients that `shim connect` was run for."""

from collections.abc import Mapping
from pathlib import Path

from .install import Installation
from .stack import Stack


class Connections:
    """Connects each client once and keeps its folder: a connection is made for good, not for a test."""

    def __init__(self, stack: Stack, root: Path) -> None:
        """Make the folders below `root`."""
        self._stack = stack
        self._root = root
        self._made: dict[tuple[Installation, str], Path] = {}

    def config(self, installation: Installation, url: str | None = None) -> Path:
        """Return a configuration folder of this client in which hooks go to SHIM, or to SHIM's stand-in at `url`."""
        key = installation, url or self._stack.url
        if key not in self._made:
            folder = self._root / f"{installation.version}-{len(self._made)}"
            folder.mkdir()
            self._stack.run("connect", "claude-code", "--config-dir", folder, environment=_environment(*key))
            self._made[key] = folder
        return self._made[key]


def _environment(installation: Installation, url: str) -> Mapping[str, str]:
    """Let `shim connect` find this client, and no other, on the search path."""
    return {"PATH": f"{installation.executable.parent}:/usr/bin:/bin", "SHIM_URL": url}
