"""Signals and their history."""

from datetime import datetime

from shim_checkpointer.domain.session import Kept
from shim_checkpointer.domain.signals import Raised
from shim_common.contracts.sessions import Signal
from shim_common.db.database import Connection, Row


class PostgresSignals:
    """Signals in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def up(self, session: Kept) -> dict[str, Signal]:
        """Return the signals that are raised now, by name."""
        rows = await self._connection.fetch(
            "SELECT * FROM signal WHERE session_no = $1 AND cleared_at IS NULL ORDER BY no", session.no
        )
        return {row["name"]: _signal(row) for row in rows}

    async def raise_(self, session: Kept, signal: Raised, at: datetime) -> None:
        """Note that a signal went up."""
        await self._connection.execute(
            "INSERT INTO signal (session_no, name, raised_at, value, threshold, why) VALUES ($1, $2, $3, $4, $5, $6)",
            session.no,
            signal.name,
            at,
            signal.value,
            signal.threshold,
            signal.why,
        )

    async def clear(self, session: Kept, name: str, at: datetime) -> None:
        """Note that a signal went down."""
        await self._connection.execute(
            "UPDATE signal SET cleared_at = $3 WHERE session_no = $1 AND name = $2 AND cleared_at IS NULL",
            session.no,
            name,
            at,
        )

    async def page(self, session: Kept, before: int | None, limit: int) -> list[tuple[int, Signal]]:
        """Return signals with their numbers, newest first."""
        rows = await self._connection.fetch(
            """SELECT * FROM signal WHERE session_no = $1 AND ($2::bigint IS NULL OR no < $2)
               ORDER BY no DESC LIMIT $3""",
            session.no,
            before,
            limit,
        )
        return [(row["no"], _signal(row)) for row in rows]


def _signal(row: Row) -> Signal:
    return Signal(
        name=row["name"],
        at=row["raised_at"],
        value=row["value"],
        threshold=row["threshold"],
        why=row["why"],
        cleared_at=row["cleared_at"],
    )
