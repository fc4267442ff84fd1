"""A Postgres cluster while its server is down: made, checked, given a password, freed of old locks."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import psutil

from shim_common.embedded.account import Account
from shim_common.embedded.errors import StoreError
from shim_common.embedded.program import run_as
from shim_common.kernel.secrets import write_private

USER = "shim"
CLEAN_ENVIRONMENT: Mapping[str, str] = MappingProxyType({"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"})
"""Nothing of the user's own Postgres settings (PGDATA, PGPORT ...) reaches ours."""

_LOCALE = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
_LAST_LINES = 8
_STATUS_LINE = 7  # LOCK_FILE_LINE_PM_STATUS in Postgres' miscadmin.h, counted from 0


@dataclass(frozen=True)
class Cluster:
    """The data of one Postgres server, the programs that fit it and the user that owns it.

    `durable` is False only for data nobody will miss: it is then made without waiting for the disk.
    """

    binaries: Path
    data: Path
    account: Account
    durable: bool = True

    @property
    def exists(self) -> bool:
        """Whether the cluster was made, whole."""
        return self._version_file.is_file()

    @property
    def says_ready(self) -> bool:
        """Whether its server has noted that it takes connections, as `pg_ctl` asks; cheaper than trying one."""
        try:
            lines = self.lock.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) > _STATUS_LINE and lines[_STATUS_LINE].strip() == "ready"

    @property
    def lock(self) -> Path:
        """The file its server keeps while it runs: pid first, status last."""
        return self.data / "postmaster.pid"

    async def make(self, password: str) -> None:
        """Make the cluster under another name and rename it: it is there whole or not at all.

        Raises StoreError where `initdb` fails.
        """
        staging = self.data.with_name(self.data.name + ".new")
        if staging.exists():
            shutil.rmtree(staging)
        staging.mkdir(mode=0o700)
        password_file = staging.with_name(staging.name + ".password")
        write_private(password_file, password.encode())
        for path in (staging, password_file):
            self.account.give(path)
        try:
            await self._run("initdb", "-D", str(staging), *self._initdb_options(password_file))
        finally:
            password_file.unlink()
        _rename_durably(staging, self.data)

    async def set_password(self, password: str) -> None:
        """Give the cluster's user this password (letters, digits, - and _). Raises StoreError."""
        statement = f"ALTER ROLE {USER} PASSWORD '{password}';\n"
        await self._run("postgres", "--single", "-D", str(self.data), "postgres", feed=statement.encode())

    async def require_version(self) -> None:
        """Raise StoreError where the data was written by another major version of Postgres."""
        found = self._version_file.read_text(encoding="ascii").strip()
        ours = (await self._run("postgres", "--version")).split()[-1].partition(".")[0]
        if found != ours:
            message = (
                f"{self.data} was written by Postgres {found}; this is {ours}. Dump it with the SHIM that "
                f"wrote it, or set SHIM_HOME to another folder."
            )
            raise StoreError(message)

    def clear_stale_lock(self, lock: Path) -> None:
        """Remove `lock` if its server was killed; StoreError where the server lives.

        Postgres does so itself unless the pid in it is in use again by any process of the same user. What is
        left of a killed server and still uses the data is noticed by Postgres without this file, by its
        shared memory.
        """
        pid = _pid_in(lock)
        if pid is not None and self._is_served_by(pid):
            message = f"Another Postgres (pid {pid}) runs on {self.data}. Stop it with: kill -INT {pid}"
            raise StoreError(message)
        lock.unlink(missing_ok=True)

    @property
    def _version_file(self) -> Path:
        return self.data / "PG_VERSION"

    def _initdb_options(self, password_file: Path) -> list[str]:
        sync = [] if self.durable else ["--no-sync"]
        return [*_LOCALE, f"--username={USER}", "--auth=scram-sha-256", f"--pwfile={password_file}", *sync]

    def _is_served_by(self, pid: int) -> bool:
        try:
            process = psutil.Process(pid)
            return process.status() != psutil.STATUS_ZOMBIE and str(self.data) in process.cmdline()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # gone, or another user's
            return False

    async def _run(self, program: str, *arguments: str, feed: bytes = b"") -> str:
        """Run one of Postgres' programs to its end and return what it said."""
        argv = [str(self.binaries / program), *arguments]
        pipe = asyncio.subprocess.PIPE
        process = await run_as(self.account, argv, CLEAN_ENVIRONMENT, pipe, stdin=pipe)
        output = (await process.communicate(feed))[0].decode(errors="replace")
        if process.returncode != 0:
            last_lines = "\n".join(output.splitlines()[-_LAST_LINES:])
            message = f"{program} failed for {self.data}:\n{last_lines}"
            raise StoreError(message)
        return output


def _pid_in(lock: Path) -> int | None:
    try:
        return int(lock.read_text(encoding="ascii").split()[0])
    except (FileNotFoundError, ValueError, IndexError):  # none, or torn
        return None


def _rename_durably(source: Path, target: Path) -> None:
    """Rename within a folder; the new name is on disk when this returns."""
    source.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
