"""The programs that assistants start for SHIM: scripts in the data folder, run by an interpreter without packages."""

import sys
from pathlib import Path

from shim_cli.home import Home
from shim_common.kernel.secrets import write_private


def python() -> Path:
    """Return the interpreter behind the virtual environment.

    The interpreter's own binary is named because a version manager's shim in its place costs 50 ms.
    """
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def folder(home: Home) -> Path:
    """Return where the scripts lie: in the data folder they outlive the virtual environment."""
    return home.folder / "bin"


def install(script: Path, source: bytes) -> None:
    """Write a script, unless it is there as it should be."""
    if not script.is_file() or script.read_bytes() != source:
        write_private(script, source)
