"""Observations: what hooks saw, with the body only until the log covers it."""

from collections.abc import Sequence

from shim_checkpointer.domain.pending import COVERED_KINDS, Observation
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.storage.packing import pack, unpack
from shim_common.db.database import Connection, Row


class PostgresHooks:
    """Observations in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, session: Kept, seen: Observation) -> None:
        """Store an observation."""
        await self._connection.execute(
            "INSERT INTO observation (session_no, at, kind, subject, body) VALUES ($1, $2, $3, $4, $5)",
            session.no,
            seen.at,
            seen.kind,
            seen.subject,
            pack(seen.body) if seen.body else None,
        )

    async def uncovered(self, session: Kept) -> list[Observation]:
        """Return the observations that the log does not cover, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM observation WHERE session_no = $1 AND body IS NOT NULL ORDER BY no DESC LIMIT 200",
            session.no,
        )
        return [_observation(row) for row in reversed(rows)]

    async def cover(self, session: Kept, subjects: Sequence[str]) -> None:
        """Let go of the bodies that the log holds now."""
        await self._connection.execute(
            """UPDATE observation SET body = NULL
               WHERE session_no = $1 AND subject = ANY($2) AND kind = ANY($3) AND body IS NOT NULL""",
            session.no,
            list(subjects),
            COVERED_KINDS,
        )

    async def page(self, session: Kept, after: int, limit: int) -> list[tuple[int, Observation]]:
        """Return observations with their numbers, oldest first."""
        rows = await self._connection.fetch(
            "SELECT * FROM observation WHERE session_no = $1 AND no > $2 ORDER BY no LIMIT $3",
            session.no,
            after,
            limit,
        )
        return [(row["no"], _observation(row)) for row in rows]


def _observation(row: Row) -> Observation:
    body = unpack(row["body"]) if row["body"] else {}
    return Observation(kind=row["kind"], subject=row["subject"], at=row["at"], body=body)
