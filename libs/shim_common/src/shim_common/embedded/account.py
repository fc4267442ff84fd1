"""The user that a store runs as. Postgres refuses to run as root, so root hands it to `nobody`."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from shim_common.embedded.errors import EmbeddedError

ROOT_UID = 0


@dataclass(frozen=True, slots=True)
class Account:
    """A user that processes run as and files belong to."""

    name: str
    uid: int
    gid: int

    @property
    def is_current(self) -> bool:
        """Whether this process already runs as this user."""
        return self.uid == os.geteuid()

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may pass through `folder` and everything above it, judged by the mode bits."""
        resolved = folder.resolve()
        return all(self._allows(step, os.X_OK) for step in (resolved, *resolved.parents))

    def can_read(self, file: Path) -> bool:
        """Whether this user may read and execute `file`, by this path and, where that is a link, at its target."""
        target = file.resolve()
        return all(self.can_enter(path.parent) for path in (file, target)) and self._allows(target, os.R_OK | os.X_OK)

    def give(self, path: Path) -> None:
        """Make this user the owner of `path`; nothing to do where the current user is meant."""
        if not self.is_current:
            os.chown(path, self.uid, self.gid)

    def _allows(self, path: Path, bits: int) -> bool:
        if self.is_current:
            return os.access(path, bits)
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        return (status.st_mode >> shift) & bits == bits


def current_account() -> Account:
    """The user this process runs as; a uid without a name (containers) is named by its number."""
    uid = os.geteuid()
    try:
        return Account(pwd.getpwuid(uid).pw_name, uid, os.getegid())
    except KeyError:
        return Account(str(uid), uid, os.getegid())


def store_account() -> Account:
    """The user Postgres runs as: the current one, or `nobody` where that is root. Raises EmbeddedError."""
    current = current_account()
    if current.uid != ROOT_UID:
        return current
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        message = "Postgres does not run as root, and there is no user `nobody` here. Run SHIM as a normal user."
        raise EmbeddedError(message) from None
    return Account(nobody.pw_name, nobody.pw_uid, nobody.pw_gid)
