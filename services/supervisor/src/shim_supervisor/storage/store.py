"""Transactions over Postgres."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event
from shim_common.db import audit, outbox
from shim_common.db.database import Connection, Database
from shim_common.db.requests import PostgresRequests
from shim_supervisor.storage.incidents import PostgresIncidents
from shim_supervisor.storage.policies import PostgresPolicies
from shim_supervisor.storage.reports import PostgresReports
from shim_supervisor.storage.watches import PostgresWatches


class PostgresUnit:
    """One transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.published: list[Event] = []
        self.watches = PostgresWatches(connection)
        self.incidents = PostgresIncidents(connection)
        self.policies = PostgresPolicies(connection)
        self.reports = PostgresReports(connection)
        self.requests = PostgresRequests(connection)

    async def publish(self, events: Sequence[Event]) -> None:
        """Write events to the outbox."""
        await outbox.append(self._connection, events)
        self.published.extend(events)

    async def audit(
        self, actor: str, action: str, subject: str, at: datetime, before: JsonObject | None, after: JsonObject | None
    ) -> None:
        """Write down who changed what."""
        await audit.append(
            self._connection, actor=actor, action=action, subject=subject, at=at, before=before, after=after
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
