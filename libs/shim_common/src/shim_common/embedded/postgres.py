"""Embedded Postgres: a server of our own on a unix socket.

It is driven by its own programs, `initdb` and `postgres`; no port is opened, every connection needs the
generated password, and what is committed is on disk.
"""

import secrets
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import asyncpg

from shim_common.embedded.account import Account, store_account
from shim_common.embedded.binaries import postgres_binaries
from shim_common.embedded.cluster import CLEAN_ENVIRONMENT, USER, Cluster
from shim_common.embedded.errors import StoreError
from shim_common.embedded.identity import StopStep
from shim_common.embedded.program import Program, until
from shim_common.kernel.secrets import write_private

DATABASE = "shim"
PORT = 5432  # names the socket, `.s.PGSQL.5432`; nothing listens on TCP
PASSWORD_FILE = "postgres.password"  # noqa: S105 - a file's name

FAST_STOP = (
    StopStep(signal.SIGINT, 20.0),  # "fast": sessions are ended, a checkpoint is written
    StopStep(signal.SIGQUIT, 5.0),  # "immediate": recovers from its log at the next start
    StopStep(signal.SIGKILL, 2.0),
)

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "listen_addresses": "",
        "port": str(PORT),
        "unix_socket_permissions": "0700",
        "max_connections": "60",  # the pools of one machine's services, five to ten each
        "shared_buffers": "64MB",
        "max_wal_size": "256MB",  # bounds the disk used and the time to recover
        "jit": "off",  # our statements are short; compiling them costs more than it gains
        "autovacuum": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        # statements and rows hold people's work: they stay out of the log
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
)
_ON_LINUX = {"recovery_init_sync_method": "syncfs"}  # one call instead of one a file: 0.05 s, not 0.13 to 3 s
_SAFE_ON_DISK = ("fsync", "full_page_writes", "synchronous_commit")
_NOT_YET = (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError)


@dataclass(frozen=True)
class Postgres:
    """A server: its cluster, the folder of its socket and the password of its user."""

    cluster: Cluster
    run_folder: Path
    password: str = field(repr=False)

    def url(self, database: str = DATABASE) -> str:
        """The address of `database` for asyncpg and SQLAlchemy, password included."""
        return f"postgresql://{USER}:{self.password}@/{database}?host={self.run_folder}"

    def program(self, name: str = "postgres") -> Program:
        """The server as a child process; the first start makes the cluster and our database."""
        return Program(
            name=name,
            argv=self._argv(),
            env=CLEAN_ENVIRONMENT,
            prepare=self.prepare,
            ready=self.wait_until_ready,
            account=self.cluster.account,
            stop=FAST_STOP,
        )

    async def prepare(self) -> None:
        """Make the cluster if there is none, and take away the locks of a server that was killed.

        Raises StoreError where the data is of another major version or another server runs on it.
        """
        if self.cluster.exists:
            await self.cluster.require_version()
        else:
            await self.cluster.make(self.password)
        for lock in (self.cluster.lock, self.run_folder / f".s.PGSQL.{PORT}.lock"):
            self.cluster.clear_stale_lock(lock)

    async def wait_until_ready(self) -> None:
        """Return when a connection to our database answers; make the database if it is missing.

        Waits as long as it takes. Raises StoreError where the server refuses the password.
        """
        await until(self._answers)

    async def connect(self, database: str = DATABASE) -> "asyncpg.Connection[asyncpg.Record]":
        """A new connection to `database`; asyncpg's errors and OSError where that fails."""
        return await asyncpg.connect(
            host=str(self.run_folder),
            port=PORT,
            user=USER,
            password=self.password,
            database=database,
            timeout=5,
        )

    def _argv(self) -> list[str]:
        """Settings on the command line leave the cluster's own files untouched."""
        on_disk = dict.fromkeys(_SAFE_ON_DISK, "on" if self.cluster.durable else "off")
        on_linux = _ON_LINUX if sys.platform == "linux" else {}
        settings = {**SETTINGS, **on_linux, **on_disk, "unix_socket_directories": str(self.run_folder)}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [str(self.cluster.binaries / "postgres"), "-D", str(self.cluster.data), *options]

    async def _answers(self) -> bool:
        if not self.cluster.says_ready:
            return False
        try:
            connection = await self.connect("postgres")
        except asyncpg.InvalidPasswordError as error:
            message = (
                f"{self.cluster.data} has another password. Remove {PASSWORD_FILE} from the data folder and "
                f"start again: a new one is set."
            )
            raise StoreError(message) from error
        except _NOT_YET:
            return False
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            await connection.close()
        return True


async def embedded_postgres(
    home: Path, data: Path, run_folder: Path, account: Account | None = None, *, durable: bool = True
) -> Postgres:
    """The server for the cluster in `data`, which is down or not made yet; its password is kept in `home`.

    Where the password's file was lost, the cluster gets a new one. Raises BinariesMissingError, FolderError,
    StoreError.
    """
    account = account or store_account()
    cluster = Cluster(postgres_binaries(account), data, account, durable)
    password_file = home / PASSWORD_FILE
    if password_file.exists():
        return Postgres(cluster, run_folder, password_file.read_text(encoding="ascii").strip())
    server = Postgres(cluster, run_folder, secrets.token_urlsafe(24))
    if cluster.exists:
        await server.prepare()
        await cluster.set_password(server.password)
    write_private(password_file, server.password.encode())
    return server
