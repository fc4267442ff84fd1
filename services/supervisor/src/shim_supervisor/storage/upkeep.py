"""Housekeeping in Postgres."""

from datetime import datetime

from shim_common.db.database import Connection, Database

_AT_ONCE = 5000
"""Rows of a kind that one transaction removes; the next round takes the rest."""


class PostgresUpkeep:
    """Every call is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def forget(self, history_before: datetime, answers_before: datetime) -> list[str]:
        """Delete old watches with their incidents, old reports and kept answers; say what went."""
        async with self._database.transaction() as connection:
            gone = {
                "old watches": await _forget_watches(connection, history_before),
                "old reports": await _count(connection, "DELETE FROM report WHERE at < $1", history_before),
                "kept answers": await _count(connection, "DELETE FROM idempotency WHERE at < $1", answers_before),
            }
        return [f"{count} {what}" for what, count in gone.items() if count]


async def _forget_watches(connection: Connection, moment: datetime) -> int:
    """A watch that fell silent and was never said to have ended goes like one that did."""
    rows = await connection.fetch(
        """DELETE FROM watch WHERE no IN (
             SELECT no FROM watch WHERE coalesce(ended_at, last_seen_at, since) < $1 ORDER BY no LIMIT $2)
           RETURNING no""",
        moment,
        _AT_ONCE,
    )
    numbers = [row["no"] for row in rows]
    await connection.execute(
        """WITH gone AS (DELETE FROM incident WHERE watch_no = ANY($1) RETURNING no)
           DELETE FROM attempt WHERE incident_no IN (SELECT no FROM gone)""",
        numbers,
    )
    return len(numbers)


async def _count(connection: Connection, statement: str, moment: datetime) -> int:
    status = await connection.execute(statement, moment)
    return int(status.split()[-1])
