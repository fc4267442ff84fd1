"""One pool per process; errors of the driver become SHIM's where they enter."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from shim_common.kernel.errors import ShimError, StorageFull, Unavailable, Unprocessable

if TYPE_CHECKING:  # the driver's classes take no parameters at run time
    Connection = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]
else:
    Connection = asyncpg.Connection
    Pool = asyncpg.Pool
Row = asyncpg.Record

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that broke in the middle of an answer
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    OSError,
    TimeoutError,
)
_NOT_STORABLE = (asyncpg.DataError, asyncpg.ProgramLimitExceededError)
RETRY_AFTER = 1.0
"""Seconds a client should wait when the store is away: embedded Postgres is back within that."""


class Database:
    """A pool of connections to one schema."""

    def __init__(self, url: str, schema: str, *, size: int = 8) -> None:
        self._url = url
        self.schema = schema
        self._size = size
        self._pool: Pool | None = None

    async def open(self) -> None:
        """Connect.

        Raises:
            Unavailable: nothing answers at the address.
        """
        with mapped():
            self._pool = await asyncpg.create_pool(
                self._url,
                min_size=1,
                max_size=self._size,
                command_timeout=30,
                timeout=5,
                reset=_leave_as_it_is,
                server_settings={
                    "search_path": self.schema,
                    "application_name": f"shim-{self.schema}",
                    "synchronous_commit": "on",
                },
            )

    async def close(self) -> None:
        """Give all connections back."""
        if self._pool is not None:
            await self._pool.close()
            self._pool = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection for reading.

        Raises:
            Unavailable: the database is away.
        """
        with mapped():
            async with self._open_pool().acquire(timeout=5) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: committed at the end, or nothing of it happened.

        Raises:
            Unavailable: the database is away.
            StorageFull: the disk is full.
        """
        with mapped():
            async with self._open_pool().acquire(timeout=5) as connection, connection.transaction():
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """Lend a connection for reading, with everything as it was at one moment, whatever others commit meanwhile.

        Raises:
            Unavailable: the database is away.
        """
        with mapped():
            async with (
                self._open_pool().acquire(timeout=5) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield connection

    async def is_ready(self) -> bool:
        """Whether a trivial query is answered."""
        try:
            async with self.connection() as connection:
                return bool(await connection.fetchval("SELECT true"))
        except ShimError:
            return False

    def _open_pool(self) -> Pool:
        if self._pool is None:
            raise Unavailable("the database connection is closed", retry_after=RETRY_AFTER)
        return self._pool


async def _leave_as_it_is(_: Connection) -> None:
    """Nothing here changes a connection's state, so cleaning it up would only cost a round trip."""


class mapped:  # noqa: N801 - used like a keyword
    """Turns errors of the driver into SHIM's."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (asyncpg.DiskFullError, asyncpg.OutOfMemoryError)):
            raise StorageFull(
                "the database has no room left; nothing was written. Free disk space, then try again"
            ) from error
        if isinstance(error, _NOT_STORABLE):
            raise Unprocessable(
                "a value is too large or too long to be stored; nothing was written", code="not_storable"
            ) from error
        if isinstance(error, _AWAY):
            raise Unavailable(
                "the database is away; this may not have been written. Try again in a second", retry_after=RETRY_AFTER
            ) from error
