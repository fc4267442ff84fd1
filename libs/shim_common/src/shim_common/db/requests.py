"""Answers to requests with an Idempotency-Key, kept for a day in the service's table `idempotency`."""

from datetime import datetime

from shim_common.db.database import Connection
from shim_common.kernel.idempotency import Answer

TABLE = """
CREATE TABLE idempotency (
  caller varchar, route varchar, key varchar, request bytea NOT NULL, status smallint NOT NULL,
  answer bytea NOT NULL, at timestamptz NOT NULL, PRIMARY KEY (caller, route, key));
CREATE INDEX idempotency_at ON idempotency (at);
"""
"""The table, for migrations."""


class PostgresRequests:
    """Kept answers in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, caller: str, route: str, key: str) -> Answer | None:
        """Return the answer given before; requests with the same key wait for one another."""
        await self._connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{caller}\n{route}\n{key}"
        )
        row = await self._connection.fetchrow(
            "SELECT request, status, answer FROM idempotency WHERE caller = $1 AND route = $2 AND key = $3",
            caller,
            route,
            key,
        )
        return None if row is None else Answer(row["request"], row["status"], row["answer"])

    async def keep(self, caller: str, route: str, key: str, answer: Answer, at: datetime) -> None:
        """Keep an answer."""
        await self._connection.execute(
            "INSERT INTO idempotency VALUES ($1, $2, $3, $4, $5, $6, $7)",
            caller,
            route,
            key,
            answer.request,
            answer.status,
            answer.body,
            at,
        )
