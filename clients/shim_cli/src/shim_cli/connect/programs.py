"""The programs that assistants start for SHIM: scripts in the data folder, run by an interpreter without packages."""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from shim_cli.errors import Refused
from shim_cli.home import Home
from shim_common.kernel.secrets import write_private

_LOOPBACK = frozenset({"127.0.0.1", "localhost"})


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


def local_port(url: str) -> int:
    """Return SHIM's port on this machine: the scripts reach no other.

    Raises:
        Refused: the address is another machine's.
    """
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname not in _LOOPBACK:
        raise Refused(f"hooks reach SHIM on this machine only, not at {url}; unset SHIM_URL or give a local one")
    return address.port or 80
