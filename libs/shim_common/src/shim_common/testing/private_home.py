"""A home of the tests' own: nothing of the person who runs them is read or written."""

import os
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

FOLDERS = {
    "HOME": "home",
    "CLAUDE_CONFIG_DIR": "home/.claude",
    "SHIM_HOME": "shim",
    "XDG_CACHE_HOME": "xdg/cache",
    "XDG_CONFIG_HOME": "xdg/config",
    "XDG_DATA_HOME": "xdg/data",
    "XDG_RUNTIME_DIR": "xdg/runtime",
    "XDG_STATE_HOME": "xdg/state",
}
"""Variable and folder, relative to the private folder."""

_DROPPED_PREFIXES = ("SHIM_", "CLAUDE", "ANTHROPIC_", "PG", "XDG_")
_KEPT_PREFIX = "SHIM_TEST_"
_DROPPED = ("DATABASE_URL", "REDIS_URL")


def enter_private_home(
    environ: MutableMapping[str, str] = os.environ,
) -> "tempfile.TemporaryDirectory[str]":
    """Point every variable of `FOLDERS` into a new temporary folder, which is returned for cleaning up.

    Variables that would lead elsewhere (stores, keys, other assistants' sessions) are dropped.
    """
    folder = tempfile.TemporaryDirectory(prefix="shim-home-", ignore_cleanup_errors=True)
    for name in list(environ):
        if (name.startswith(_DROPPED_PREFIXES) or name in _DROPPED) and not name.startswith(_KEPT_PREFIX):
            del environ[name]
    for name, relative in FOLDERS.items():
        path = Path(folder.name) / relative
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        environ[name] = str(path)
    return folder
