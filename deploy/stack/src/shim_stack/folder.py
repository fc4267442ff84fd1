"""The data folder on disk: its layout, its version, and the lock that makes one runner its owner."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shim_stack.errors import AlreadyRunning, BadConfiguration, NewerData

DATA_VERSION = 1
"""Of the layout below and of everything in it. Raised when older code could no longer read it."""


@dataclass(frozen=True, slots=True)
class DataFolder:
    """SHIM_HOME."""

    path: Path

    @property
    def logs(self) -> Path:
        """One file a process."""
        return self.path / "logs"

    @property
    def run_record(self) -> Path:
        """What runs, or last ran."""
        return self.path / "run.json"

    @property
    def admin_key(self) -> Path:
        """The key with every scope; the gateway makes it at its first start."""
        return self.path / "keys" / "admin.key"

    @property
    def configuration(self) -> Path:
        """What the user set; need not exist."""
        return self.path / "config.toml"

    @property
    def valkey(self) -> Path:
        """The embedded Valkey's data."""
        return self.path / "valkey"

    def open(self) -> None:
        """Make the folder with mode 0700 if it is missing, and accept its data.

        Raises NewerData where a newer SHIM wrote it, BadConfiguration where it is another user's or not ours.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._require_owner()
        self._accept_version()
        self.logs.mkdir(mode=0o700, exist_ok=True)

    @contextlib.contextmanager
    def owned(self) -> Iterator[None]:
        """Own the folder for the length of a block; the system gives it up when this process dies.

        Raises AlreadyRunning where another process owns it.
        """
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AlreadyRunning(f"SHIM runs already on {self.path}.") from None
            yield
        finally:
            os.close(descriptor)

    @property
    def is_owned(self) -> bool:
        """Whether a runner owns the folder now."""
        if not self._lock.exists():
            return False
        try:
            with self.owned():
                return False
        except AlreadyRunning:
            return True

    @property
    def _lock(self) -> Path:
        return self.path / "run.lock"

    @property
    def _version(self) -> Path:
        return self.path / "version"

    def _require_owner(self) -> None:
        owner = self.path.stat().st_uid
        if owner != os.geteuid():
            message = (
                f"{self.path} belongs to another user (uid {owner}). Run SHIM as that user, or set SHIM_HOME to a "
                f"folder of your own."
            )
            raise BadConfiguration(message)

    def _accept_version(self) -> None:
        try:
            found = int(self._version.read_text(encoding="ascii"))
        except FileNotFoundError:
            self._version.write_text(f"{DATA_VERSION}\n", encoding="ascii")
            return
        except ValueError:
            message = f"{self._version} should hold a number. Set SHIM_HOME to SHIM's data folder or to a new one."
            raise BadConfiguration(message) from None
        if found > DATA_VERSION:
            message = (
                f"{self.path} was written by a newer SHIM (data version {found}; this one reads up to "
                f"{DATA_VERSION}). Install the newer SHIM again, or set SHIM_HOME to another folder."
            )
            raise NewerData(message)
