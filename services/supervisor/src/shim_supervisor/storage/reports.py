"""Ids of reports that were taken."""

from datetime import datetime

from shim_common.db.database import Connection


class PostgresReports:
    """Ids of reports in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def take(self, report_id: str, subject: str, at: datetime) -> str | None:
        """Take a report about a subject: None if it is new, else the subject it was taken for.

        A report that somebody else is taking at this moment is waited for.
        """
        status = await self._connection.execute(
            "INSERT INTO report VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING", report_id, subject, at
        )
        if status == "INSERT 0 1":
            return None
        return str(await self._connection.fetchval("SELECT subject FROM report WHERE id = $1", report_id))
