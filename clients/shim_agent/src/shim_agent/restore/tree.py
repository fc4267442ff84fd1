"""A folder that is read and written without ever leaving it, whatever links lie in the way."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shim_common.contracts.sessions import FileRef
from shim_common.kernel.errors import Conflict

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class RestoreBlocked(Conflict):
    """Something in the folder is in the way, or the snapshot asks for what is never done."""

    code = "restore_blocked"


class Tree:
    """Opens folders one by one, relative to each other, and never through a link. Paths must be plain."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, ref: FileRef, data: bytes) -> None:
        """Put a file or a link in its place in one step, replacing what is there.

        Raises:
            RestoreBlocked: a link or a file lies where a folder is needed, or a folder that is not empty
                where the file goes.
        """
        with self._parent(ref.path, create=True) as (folder, name):
            draft = f".shim-{secrets.token_hex(8)}"
            try:
                _make(folder, draft, ref, data)
                self._clear_folder(folder, name, ref.path)
                os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(draft, dir_fd=folder)

    def delete(self, path: str) -> None:
        """Delete a file or a link, and the folders that are empty without it. A missing one is fine."""
        with suppress(FileNotFoundError), self._parent(path) as (folder, name):
            os.unlink(name, dir_fd=folder)
        inner = path.rpartition("/")[0]
        while inner:
            with suppress(FileNotFoundError), self._parent(inner) as (folder, name):
                try:
                    os.rmdir(name, dir_fd=folder)
                except OSError:
                    return
            inner = inner.rpartition("/")[0]

    def read(self, path: str) -> tuple[int, bytes]:
        """Return the permission bits and contents of a file, or the target of a link.

        Raises:
            FileNotFoundError: there is none.
            RestoreBlocked: the way to it leads through a link.
        """
        with self._parent(path) as (folder, name):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(status.st_mode):
                return 0o777, os.fsencode(os.readlink(name, dir_fd=folder))
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
            with os.fdopen(descriptor, "rb") as file:
                return stat.S_IMODE(status.st_mode) & 0o777, file.read()

    @contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder that a path lies in; give its descriptor and the path's last part."""
        *folders, name = path.split("/")
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                inner = _enter(descriptor, folder, path, create=create)
                os.close(descriptor)
                descriptor = inner
            yield descriptor, name
        finally:
            os.close(descriptor)

    def _clear_folder(self, folder: int, name: str, path: str) -> None:
        """Remove an empty folder that lies where a file goes."""
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                _remove_empty(folder, name)
        except FileNotFoundError:
            return
        except OSError as error:
            raise RestoreBlocked(f"{self.root / path} is a folder that is not empty; move it away") from error


def _enter(descriptor: int, folder: str, path: str, *, create: bool) -> int:
    try:
        return os.open(folder, _FOLDER, dir_fd=descriptor)
    except FileNotFoundError:
        if not create:
            raise
        os.mkdir(folder, dir_fd=descriptor)
        return os.open(folder, _FOLDER, dir_fd=descriptor)
    except OSError as error:
        raise RestoreBlocked(f"on the way to {path}, {folder!r} is no folder; move it away") from error


def _remove_empty(folder: int, name: str) -> None:
    """Remove a folder that holds nothing but folders; NotADirectoryError where it holds anything else."""
    descriptor = os.open(name, _FOLDER, dir_fd=folder)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                _remove_empty(descriptor, entry.name)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=folder)


def _make(folder: int, name: str, ref: FileRef, data: bytes) -> None:
    if ref.link is not None:
        os.symlink(ref.link, name, dir_fd=folder)
        return
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        os.fchmod(descriptor, ref.mode)
