"""The user's data folder, SHIM_HOME."""

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path


def shim_home(environ: Mapping[str, str] = os.environ) -> Path:
    """The data folder: $SHIM_HOME, else `shim` where the platform keeps application data. Not made here."""
    chosen = environ.get("SHIM_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path("~/Library/Application Support/shim").expanduser()
    data = Path(environ.get("XDG_DATA_HOME", ""))
    return (data if data.is_absolute() else Path("~/.local/share").expanduser()) / "shim"


def home_tag(home: Path) -> str:
    """Eight letters that stand for this data folder in names outside it."""
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:8]
