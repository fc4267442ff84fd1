"""Transactions over Postgres."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import orjson

from shim_checkpointer.storage.checkpoints import PostgresCheckpoints
from shim_checkpointer.storage.files import PostgresFiles
from shim_checkpointer.storage.hooks import PostgresHooks
from shim_checkpointer.storage.log import PostgresLog
from shim_checkpointer.storage.passages import PostgresPassages
from shim_checkpointer.storage.sessions import PostgresSessions
from shim_checkpointer.storage.signals import PostgresSignals
from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event
from shim_common.db import audit, outbox
from shim_common.db.database import Connection, Database
from shim_common.db.requests import PostgresRequests


class PostgresUnit:
    """One transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.published: list[Event] = []
        self.sessions = PostgresSessions(connection)
        self.log = PostgresLog(connection)
        self.passages = PostgresPassages(connection)
        self.checkpoints = PostgresCheckpoints(connection)
        self.hooks = PostgresHooks(connection)
        self.signals = PostgresSignals(connection)
        self.files = PostgresFiles(connection)
        self.requests = PostgresRequests(connection)

    async def publish(self, events: Sequence[Event]) -> None:
        """Write events to the outbox."""
        await outbox.append(self._connection, events)
        self.published.extend(events)

    async def history(self, *, after: str | None, limit: int, types: Sequence[str], session: str | None) -> list[Event]:
        """Return published events, oldest first."""
        return await outbox.history(self._connection, after=after, limit=limit, types=types, session=session)

    async def audit(self, actor: str, action: str, subject: str, at: datetime, before: JsonObject | None) -> None:
        """Write down who changed what."""
        await audit.append(
            self._connection, actor=actor, action=action, subject=subject, at=at, before=before, after=None
        )

    async def risk_book(self) -> JsonObject | None:
        """Return what was learnt of compaction thresholds."""
        body = await self._connection.fetchval("SELECT body FROM risk_book WHERE no = 1 FOR UPDATE")
        return None if body is None else orjson.loads(body)

    async def save_risk_book(self, book: JsonObject) -> None:
        """Keep what was learnt of compaction thresholds."""
        await self._connection.execute(
            "INSERT INTO risk_book VALUES (1, $1) ON CONFLICT (no) DO UPDATE SET body = excluded.body",
            orjson.dumps(book),
        )


class PostgresStore:
    """Opens transactions; `committed` hears of the events of each one that went through."""

    def __init__(self, database: Database, committed: Callable[[Sequence[Event]], None]) -> None:
        self._database = database
        self._committed = committed

    @asynccontextmanager
    async def look(self) -> AsyncIterator[PostgresUnit]:
        """Open a transaction that only reads: everything in it is of one moment."""
        async with self._database.snapshot() as connection:
            yield PostgresUnit(connection)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresUnit]:
        """Open a transaction: committed at the end, or nothing of it happened."""
        async with self._database.transaction() as connection:
            unit = PostgresUnit(connection)
            yield unit
        self._committed(unit.published)
