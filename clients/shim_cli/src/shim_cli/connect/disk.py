"""Files that belong to the user, read whole and replaced in one step."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from shim_cli.errors import Refused
from shim_common.kernel.errors import Conflict, Forbidden

PRIVATE = 0o600
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Found:
    """A file as it was found; `path` has no links left in it, `content` is None where there is no file."""

    path: Path
    content: bytes | None
    mode: int
    owner: tuple[int, int] | None

    @property
    def text(self) -> str:
        """The content as text, without a byte order mark.

        Raises:
            Refused: it is not UTF-8.
        """
        try:
            return (self.content or b"").decode("utf-8-sig")
        except UnicodeDecodeError:
            raise Refused(f"{self.path} is not UTF-8; SHIM leaves it as it is") from None

    def encoded(self, text: str) -> bytes:
        """Return the text as bytes, with the byte order mark the file had."""
        return (_BOM if (self.content or b"").startswith(_BOM) else b"") + text.encode()


@dataclass(frozen=True)
class Edit:
    """A change to a file that is worked out and not made yet.

    `place` is where in the file SHIM's server is registered; `original` the file without SHIM's parts there, None
    where it would not exist; `after` what it becomes.
    """

    found: Found
    place: tuple[str, ...]
    original: bytes | None
    original_mode: int
    after: bytes | None
    mode: int

    @property
    def path(self) -> Path:
        """The file, links followed."""
        return self.found.path

    @property
    def changes(self) -> bool:
        """Whether there is anything to do."""
        return self.after != self.found.content or (self.after is not None and self.mode != self.found.mode)


def find(path: Path) -> Found:
    """Read a file, following links.

    Raises:
        Refused: it cannot be read.
    """
    path = path.expanduser().absolute().resolve()
    try:
        status = path.stat()
        return Found(path, path.read_bytes(), status.st_mode & 0o7777, (status.st_uid, status.st_gid))
    except FileNotFoundError:
        return Found(path, None, PRIVATE, None)
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror}") from None


def replace(found: Found, content: bytes, mode: int) -> None:
    """Put new content in the place of what was found, with this mode and the old owner; links stay links.

    Raises:
        Conflict: another program changed the file in between; nothing is written.
        Forbidden: the folder cannot be written to.
    """
    draft = found.path.with_name(f".{found.path.name}.{secrets.token_hex(4)}.tmp")
    try:
        found.path.parent.mkdir(parents=True, exist_ok=True)
        _write(draft, content, mode, found.owner)
        _check_unchanged(found)
        draft.replace(found.path)
        _sync_folder(found.path.parent)
    except OSError as error:
        raise Forbidden(f"{found.path} cannot be written: {error.strerror}") from None
    finally:
        with suppress(OSError):
            draft.unlink()


def remove(found: Found) -> None:
    """Delete the file.

    Raises:
        Conflict: another program changed it in between.
    """
    _check_unchanged(found)
    found.path.unlink(missing_ok=True)


def _write(draft: Path, content: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    with os.fdopen(descriptor, "wb") as file:
        if owner is not None and owner != (os.geteuid(), os.getegid()):
            os.fchown(file.fileno(), *owner)
        os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _check_unchanged(found: Found) -> None:
    try:
        now: bytes | None = found.path.read_bytes()
    except FileNotFoundError:
        now = None
    if now != found.content:
        raise Conflict(f"{found.path} changed while it was being edited; run the command again", code="changed")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
