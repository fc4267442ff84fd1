"""Takes stock of a project: every file's path, hash, size and mode."""

import errno
import hashlib
import os
import stat
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path

from shim_agent.snapshots.listing import list_files, printable, unreadable
from shim_agent.snapshots.rules import Limits, TreeRefused
from shim_common.contracts.sessions import FileRef

RACY_NS = 2_000_000_000
"""A file changed this shortly before it was hashed may change again without a new time stamp: it is hashed anew.
Two seconds is the coarsest clock of a file system in use (FAT); git calls such entries racily clean."""

LINK_MODE = 0o777


class SkippedError(Exception):
    """A path that cannot be taken in; the message says why."""


@dataclass(frozen=True, slots=True)
class Contents:
    """A file's bytes with what the manifest says of them, read at one moment."""

    ref: FileRef
    data: bytes


@dataclass(frozen=True, slots=True)
class Scan:
    """The files of a project at a moment, by path, and what was left out for which reason."""

    files: dict[str, FileRef] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(ref.size for ref in self.files.values())


@dataclass(frozen=True, slots=True)
class _Known:
    stamp: tuple[int, ...]
    ref: FileRef


class Scanner:
    """Scans one project again and again; files whose stamp did not change are not read again."""

    def __init__(
        self,
        root: Path,
        limits: Limits,
        without: Collection[Path] = (),
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.root = root
        self._limits = limits
        self._without = without
        self._now_ns = now_ns
        self._known: dict[str, _Known] = {}

    def scan(self) -> Scan:
        """Return the project's files as they are. Reads every changed file: call it in a thread.

        Raises:
            TreeRefused: there are more files or bytes than the limits allow.
        """
        listing = list_files(self.root, self._without)
        if len(listing.paths) > self._limits.files:
            raise self._refused(f"{len(listing.paths):,} files, more than the {self._limits.files:,}")
        found = Scan(skipped=listing.skipped)
        folders = _RealFolders(self.root)
        known: dict[str, _Known] = {}
        size = 0
        for path in listing.paths:
            if not folders.holds(path):
                continue
            try:
                entry = self._look(path)
            except FileNotFoundError:
                continue
            except SkippedError as error:
                found.skipped[printable(path)] = str(error)
                continue
            except OSError as error:
                found.skipped[printable(path)] = unreadable(error)
                continue
            known[path] = entry
            found.files[path] = entry.ref
            size += entry.ref.size
            if size > self._limits.bytes:
                raise self._refused(f"more than the {self._limits.bytes:,} bytes")
        self._known = known
        return found

    def read(self, path: str) -> Contents:
        """Return a file's bytes as they are now, with the reference that fits them.

        Raises:
            SkippedError: it cannot be taken in (any more).
            OSError: it cannot be read; FileNotFoundError where it is gone.
        """
        if not _RealFolders(self.root).holds(path):
            raise FileNotFoundError(path)
        return self._read(path)

    def _look(self, path: str) -> _Known:
        status = (self.root / path).lstat()
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino, status.st_mode)
        known = self._known.get(path)
        if known is not None and known.stamp == stamp:
            return known
        ref = self._read(path).ref
        is_racy = max(status.st_mtime_ns, status.st_ctime_ns) > self._now_ns() - RACY_NS
        return _Known(() if is_racy else stamp, ref)

    def _read(self, path: str) -> Contents:
        place = self.root / path
        if place.is_symlink():
            target = os.fsencode(place.readlink())
            return Contents(_reference(path, target, LINK_MODE, link=_text_of(target)), target)
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _kinder(error) from error
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise SkippedError("is no regular file")
            data = file.read(self._limits.file_bytes + 1)
        if len(data) > self._limits.file_bytes:
            raise SkippedError(f"is larger than {self._limits.file_bytes:,} bytes")
        return Contents(_reference(path, data, stat.S_IMODE(mode) & 0o777), data)

    def _refused(self, what: str) -> TreeRefused:
        return TreeRefused(
            f"{self.root} holds {what} that are kept; name what is not needed in .gitignore", root=str(self.root)
        )


class _RealFolders:
    """Knows which folders below the root are real. A path through a link leads elsewhere: its file is gone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._real = {"": True}

    def holds(self, path: str) -> bool:
        """Tell whether no folder on the way to a path is a link."""
        folder = path.rpartition("/")[0]
        if folder not in self._real:
            self._real[folder] = self.holds(folder) and not (self._root / folder).is_symlink()
        return self._real[folder]


def _reference(path: str, data: bytes, mode: int, link: str | None = None) -> FileRef:
    return FileRef(path=path, sha256=hashlib.sha256(data).hexdigest(), size=len(data), mode=mode, link=link)


def _text_of(target: bytes) -> str:
    try:
        return target.decode()
    except UnicodeDecodeError as error:
        raise SkippedError("links to a name that is not UTF-8") from error


def _kinder(error: OSError) -> OSError | SkippedError:
    """Tell sockets and devices without a driver from files that should be readable (open(2): ENXIO, ENODEV)."""
    special = error.errno in (errno.ENXIO, errno.ENODEV, errno.EOPNOTSUPP)
    return SkippedError("is no regular file") if special else error
