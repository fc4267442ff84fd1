"""Keys in Postgres."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from shim_common.contracts.access import AuditRow, Scope
from shim_common.contracts.base import JsonObject
from shim_common.db import audit
from shim_common.db.database import Connection, Database, Row
from shim_gateway.domain.keys import KeptKey


class PostgresUnit:
    """One transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def by_hash(self, key_hash: bytes) -> KeptKey | None:
        """Return the key with this hash."""
        row = await self._connection.fetchrow("SELECT * FROM api_key WHERE hash = $1", key_hash)
        return None if row is None else _key(row)

    async def find(self, key_id: str) -> KeptKey | None:
        """Return the key with this id, locked."""
        row = await self._connection.fetchrow("SELECT * FROM api_key WHERE id = $1 FOR UPDATE", key_id)
        return None if row is None else _key(row)

    async def page(self, before: str | None, limit: int) -> list[KeptKey]:
        """Return keys, newest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM api_key WHERE $1::text IS NULL OR id < $1 ORDER BY id DESC LIMIT $2", before, limit
        )
        return [_key(row) for row in rows]

    async def add(self, key: KeptKey) -> None:
        """Store a key; one with the same hash stays as it is."""
        await self._connection.execute(
            "INSERT INTO api_key VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (hash) DO NOTHING",
            key.id,
            key.name,
            key.prefix,
            key.hash,
            " ".join(sorted(key.scopes)),
            key.created_at,
            key.expires_at,
            key.revoked_at,
        )

    async def replace_hash(self, key_id: str, prefix: str, key_hash: bytes) -> None:
        """Give a key another secret."""
        await self._connection.execute(
            "UPDATE api_key SET prefix = $2, hash = $3 WHERE id = $1", key_id, prefix, key_hash
        )

    async def revoke(self, key_id: str, at: datetime) -> None:
        """Let a key open nothing any more."""
        await self._connection.execute("UPDATE api_key SET revoked_at = $2 WHERE id = $1", key_id, at)

    async def audit(
        self,
        actor: str,
        action: str,
        subject: str,
        at: datetime,
        before: JsonObject | None,
        after: JsonObject | None,
    ) -> None:
        """Write down who changed what."""
        await audit.append(
            self._connection, actor=actor, action=action, subject=subject, at=at, before=before, after=after
        )

    async def audit_page(self, before: int | None, limit: int) -> Sequence[AuditRow]:
        """Return rows of the audit log, newest first."""
        return await audit.page(self._connection, before, limit)


class PostgresStore:
    """Opens transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresUnit]:
        """Open a transaction: committed at the end, or nothing of it happened."""
        async with self._database.transaction() as connection:
            yield PostgresUnit(connection)


def _key(row: Row) -> KeptKey:
    return KeptKey(
        id=row["id"],
        name=row["name"],
        prefix=row["prefix"],
        hash=row["hash"],
        scopes=frozenset(Scope(scope) for scope in row["scopes"].split()),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        revoked_at=row["revoked_at"],
    )
