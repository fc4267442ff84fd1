"""Entries: the fresh ones a row each, the old ones sealed in blocks."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from shim_checkpointer.domain import log
from shim_checkpointer.domain.session import Kept
from shim_common.contracts.sessions import SessionSource, SourceSpan
from shim_common.db.database import Connection, Row
from shim_common.kernel.errors import Conflict

_THREAD_ABOVE = 64
"""Entries from which reading goes on in a thread, so that other requests are not kept waiting."""


class PostgresLog:
    """Logs in Postgres. Positions start at 1."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def stored(self, session: Kept, keys: Sequence[bytes], file: str | None) -> tuple[set[bytes], int]:
        """Return those of the keys that are among the fresh entries, and how far a file is stored."""
        row = await self._connection.fetchrow(
            """SELECT ARRAY(SELECT key FROM entry WHERE session_no = $1 AND key = ANY($2)) AS known,
                      (SELECT stored_to FROM source WHERE session_no = $1 AND file = $3) AS stored_to""",
            session.no,
            [UUID(bytes=key) for key in keys],
            file,
        )
        return ({key.bytes for key in row["known"]}, row["stored_to"] or 0) if row else (set(), 0)

    async def add(
        self, session: Kept, entries: Sequence[tuple[bytes, bytes]], source: SourceSpan | None = None
    ) -> None:
        """Store entries, as (key, packed body), behind the present end, and how far their source is stored now."""
        await self._connection.execute(
            """WITH told AS (
                 INSERT INTO source SELECT $1, $5, $6 WHERE $5::varchar IS NOT NULL
                 ON CONFLICT (session_no, file) DO UPDATE SET stored_to = excluded.stored_to)
               INSERT INTO entry (session_no, position, key, body)
               SELECT $1, $2 + n, key, body FROM unnest($3::uuid[], $4::bytea[]) WITH ORDINALITY AS t(key, body, n)""",
            session.no,
            session.position,
            [UUID(bytes=key) for key, _ in entries],
            [body for _, body in entries],
            source.file if source else None,
            source.end if source else None,
        )

    async def read(self, session: Kept, after: int, limit: int) -> list[bytes]:
        """Return canonical entries behind a position, oldest first."""
        payloads: list[bytes] = []
        if after < session.sealed:
            blocks = await self._connection.fetch(
                """SELECT first, last, body FROM block
                   WHERE session_no = $1 AND last > $2 AND first <= $3 ORDER BY first""",
                session.no,
                after,
                after + limit,
            )
            payloads = await asyncio.to_thread(_unsealed, blocks, after)
        room = limit - len(payloads)
        if room > 0:
            rows = await self._connection.fetch(
                "SELECT body FROM entry WHERE session_no = $1 AND position > $2 ORDER BY position LIMIT $3",
                session.no,
                after + len(payloads),
                room,
            )
            payloads += await asyncio.to_thread(_unpacked, rows) if len(rows) > _THREAD_ABOVE else _unpacked(rows)
        return payloads[:limit]

    async def sealed(self, session: Kept) -> list[bytes]:
        """Return all sealed entries."""
        return await self.read(session, 0, session.sealed) if session.sealed else []

    async def seal(self, session: Kept, block: bytes, last: int) -> None:
        """Put a block in the place of the fresh entries up to a position."""
        first = session.sealed + 1
        await self._connection.execute("INSERT INTO block VALUES ($1, $2, $3, $4)", session.no, first, last, block)
        await self._connection.execute("DELETE FROM entry WHERE session_no = $1 AND position <= $2", session.no, last)

    async def sources(self, session: Kept) -> list[SessionSource]:
        """Return all files of a session and how far they are stored."""
        rows = await self._connection.fetch(
            "SELECT file, stored_to FROM source WHERE session_no = $1 ORDER BY file", session.no
        )
        return [SessionSource(file=row["file"], end=row["stored_to"]) for row in rows]


def _unpacked(rows: Sequence[Row]) -> list[bytes]:
    return [log.unpack(row["body"]) for row in rows]


def _unsealed(blocks: Sequence[Row], after: int) -> list[bytes]:
    return [entry for row in blocks for entry in _entries_of(row)[max(0, after - row["first"] + 1) :]]


def _entries_of(block: Row) -> list[bytes]:
    entries = log.unseal(block["body"])
    if len(entries) != block["last"] - block["first"] + 1:
        raise Conflict("a sealed block holds another number of entries than it should", code="integrity")
    return entries
