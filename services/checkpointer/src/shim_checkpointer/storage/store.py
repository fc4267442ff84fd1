"""Transactions over Postgres."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

import orjson

from shim_checkpointer.storage.checkpoints import PostgresCheckpoints
from shim_checkpointer.storage.files import PostgresFiles
from shim_checkpointer.storage.hooks import PostgresHooks
from shim_checkpointer.storage.log import PostgresLog
from shim_checkpointer.storage.requests import PostgresRequests
from shim_checkpointer.storage.sessions import PostgresSessions
from shim_checkpointer.storage.signals import PostgresSignals
from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event
from shim_common.db import outbox
from shim_common.db.database import Connection, Database

_AUDIT_LOCK = 0x53484155


class PostgresUnit:
    """One transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.published: list[Event] = []
        self.sessions = PostgresSessions(connection)
        self.log = PostgresLog(connection)
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
        """Append to the audit log; each row's hash covers the row before it."""
        await self._connection.execute("SELECT pg_advisory_xact_lock($1)", _AUDIT_LOCK)
        last = await self._connection.fetchval("SELECT hash FROM audit ORDER BY position DESC LIMIT 1")
        row = orjson.dumps([at.isoformat(), actor, action, subject, before], option=orjson.OPT_SORT_KEYS)
        await self._connection.execute(
            "INSERT INTO audit (at, actor, action, subject, before, hash) VALUES ($1, $2, $3, $4, $5, $6)",
            at,
            actor,
            action,
            subject,
            orjson.dumps(before) if before is not None else None,
            hashlib.sha256((last or b"") + row).digest(),
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
    async def begin(self) -> AsyncIterator[PostgresUnit]:
        """Open a transaction: committed at the end, or nothing of it happened."""
        async with self._database.transaction() as connection:
            unit = PostgresUnit(connection)
            yield unit
        self._committed(unit.published)
