"""The private folder with a short path in which the stack's sockets live.

A socket's path has a fixed place in the kernel's address structure: 108 bytes on Linux, 104 on macOS, the
final NUL included. A data folder may well be deeper than that, so the sockets live elsewhere when they have
to. The path also stands in URLs that not every library unquotes, so it is plain.
"""

import contextlib
import os
import re
import socket
import stat
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from shim_common.embedded.account import Account
from shim_common.embedded.errors import FolderError
from shim_common.embedded.home import home_tag

SOCKET_PATH_BYTES = 103
LONGEST_SOCKET_NAME = "checkpointer.sock.tmp"  # with room for a name that is renamed into place
PLAIN_PATH = re.compile(r"[A-Za-z0-9._/-]+")


def choose_run_folder(
    home: Path, account: Account, environ: Mapping[str, str] = os.environ, recorded: Path | None = None
) -> Path:
    """The folder for sockets, made if missing: mode 0700, owned by `account`.

    First `recorded` (where the sockets were last time), then `SHIM_HOME/run`, then
    `$XDG_RUNTIME_DIR/shim-<tag>`, then a new folder under the temporary directory. The runtime directory comes
    second because it goes away with the user's last session, which the stack outlives. Raises FolderError where
    no path is short enough.
    """
    for candidate in _candidates(home, environ, recorded):
        if fits_sockets(candidate) and _is_usable(candidate, account):
            return candidate
    return _new_temporary(home, account)


def fits_sockets(folder: Path) -> bool:
    """Whether every socket of the stack has a short enough and plain path in `folder`."""
    longest = str(folder / LONGEST_SOCKET_NAME)
    return len(os.fsencode(longest)) <= SOCKET_PATH_BYTES and PLAIN_PATH.fullmatch(longest) is not None


def is_temporary(folder: Path, home: Path) -> bool:
    """Whether `folder` was made under a temporary directory, to be removed after a clean stop."""
    return folder.name.startswith(_temporary_prefix(home)) and folder.parent in _temporary_parents()


def _candidates(home: Path, environ: Mapping[str, str], recorded: Path | None) -> Iterator[Path]:
    if recorded is not None and recorded.exists():
        yield recorded
    yield home / "run"
    runtime = environ.get("XDG_RUNTIME_DIR")
    if runtime and Path(runtime).is_dir():
        yield Path(runtime) / f"shim-{home_tag(home)}"


def _is_usable(folder: Path, account: Account) -> bool:
    try:
        if not account.can_enter(folder.parent):
            return False
        if not folder.exists():
            folder.mkdir(mode=0o700)
            account.give(folder)
        return _is_private(folder, account) and _takes_sockets(folder)
    except OSError:
        return False


def _is_private(folder: Path, account: Account) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o700 and status.st_uid == account.uid


def _takes_sockets(folder: Path) -> bool:
    """Whether a socket can be made here; file systems of other machines and systems often have none."""
    place = folder / "probe.sock"
    place.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.bind(str(place))
    place.unlink()
    return True


def _new_temporary(home: Path, account: Account) -> Path:
    prefix = _temporary_prefix(home)
    for parent in _temporary_parents():
        if not fits_sockets(parent / f"{prefix}12345678"):
            continue
        with contextlib.suppress(OSError):
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            account.give(folder)
            return folder
    message = (
        f"No folder for sockets: {home / 'run'} and {tempfile.gettempdir()} are too long, not plain, or "
        f"closed to the user {account.name}. Set TMPDIR to a shorter folder."
    )
    raise FolderError(message)


def _temporary_prefix(home: Path) -> str:
    return f"shim-{home_tag(home)}-"


def _temporary_parents() -> tuple[Path, Path]:
    return Path(tempfile.gettempdir()), Path("/tmp")  # noqa: S108 - the folder made in it is private
