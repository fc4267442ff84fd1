"""Housekeeping in Postgres."""

from datetime import datetime

from shim_checkpointer.domain.session import Kept
from shim_checkpointer.storage.packing import unpack
from shim_checkpointer.storage.sessions import PostgresSessions
from shim_common.db import outbox
from shim_common.db.database import Connection, Database


class PostgresUpkeep:
    """Every call is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def to_seal(self, fresh_bytes: int) -> list[str]:
        """Return the sessions whose fresh entries exceed the size, or that are over and not sealed."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                """SELECT s.id FROM session s JOIN progress p ON p.session_no = s.no
                   WHERE p.tail_bytes >= $1 OR (s.state <> 'active' AND p.position > p.sealed)
                   ORDER BY s.no LIMIT 100""",
                fresh_bytes,
            )
        return [row["id"] for row in rows]

    async def forget(self, events_before: datetime, answers_before: datetime) -> list[str]:
        """Delete old events and kept answers; say what went."""
        async with self._database.transaction() as connection:
            events = await outbox.forget_before(connection, events_before)
            status = await connection.execute("DELETE FROM idempotency WHERE at < $1", answers_before)
        answers = int(status.split()[-1])
        return [f"{count} {what}" for count, what in ((events, "old events"), (answers, "kept answers")) if count]

    async def drop_unused_blobs(self, stored_before: datetime) -> list[str]:
        """Delete contents that no snapshot names; say what went."""
        async with self._database.transaction() as connection:
            used = await _named_blobs(connection)
            rows = await connection.fetch("SELECT sha256, size FROM blob WHERE stored_at < $1", stored_before)
            unused = [row for row in rows if row["sha256"] not in used]
            await connection.execute(
                "DELETE FROM blob WHERE sha256 = ANY($1) AND stored_at < $2",
                [row["sha256"] for row in unused],
                stored_before,
            )
        return [f"{len(unused)} unused contents, {sum(row['size'] for row in unused)} bytes"] if unused else []

    async def tidy_index(self) -> None:
        """Sort what appends put before the search index into it, so that none of them has to."""
        async with self._database.connection() as connection:
            await connection.execute("SELECT gin_clean_pending_list('passage_words')")

    async def stored_bytes(self) -> int:
        """Return the bytes that live data takes up."""
        async with self._database.connection() as connection:
            return int(
                await connection.fetchval(
                    """SELECT coalesce((SELECT sum(octet_length(body)) FROM blob), 0)
                            + coalesce((SELECT sum(octet_length(body)) FROM block), 0)
                            + coalesce((SELECT sum(octet_length(body)) FROM entry), 0)
                            + coalesce((SELECT sum(octet_length(manifest)) FROM snapshot), 0)
                            + coalesce((SELECT sum(octet_length(body)) FROM observation), 0)
                            + coalesce((SELECT sum(octet_length(text) + octet_length(words)) FROM passage), 0)
                            + coalesce((SELECT sum(octet_length(data)) FROM bus.outbox), 0)"""
                )
            )

    async def oldest_over(self) -> Kept | None:
        """Return the session that has been over for the longest, one that was interrupted only after all others."""
        async with self._database.connection() as connection:
            sid = await connection.fetchval(
                """SELECT id FROM session WHERE state <> 'active'
                   ORDER BY state = 'interrupted', ended_at NULLS FIRST LIMIT 1"""
            )
            return None if sid is None else await PostgresSessions(connection).find(sid)


async def _named_blobs(connection: Connection) -> set[bytes]:
    """Return every content that a snapshot names. New snapshots wait until the transaction is over."""
    await connection.execute("LOCK TABLE snapshot IN SHARE MODE")
    used: set[bytes] = set()
    async for row in connection.cursor("SELECT manifest FROM snapshot"):
        document = unpack(row["manifest"])
        used.update(bytes.fromhex(ref["sha256"]) for ref in document["files"])
        if document["diff"]:
            used.add(bytes.fromhex(document["diff"]))
    return used
