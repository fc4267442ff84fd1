"""Checkpoints: a position and a head each."""

from datetime import datetime
from uuid import UUID

from shim_checkpointer.domain.session import Kept
from shim_common.contracts.sessions import Checkpoint, Trigger
from shim_common.db.database import Connection, Row

_TRIGGERS = tuple(Trigger)
_SELECT = """SELECT c.*, s.id AS session_id,
    (SELECT n.id FROM snapshot n WHERE n.session_no = c.session_no AND n.position <= c.position
     ORDER BY n.taken_at DESC LIMIT 1) AS before_it,
    (SELECT n.id FROM snapshot n WHERE n.session_no = c.session_no AND n.taken_at >= c.at
     ORDER BY n.taken_at LIMIT 1) AS after_it
  FROM checkpoint c JOIN session s ON s.no = c.session_no"""


class PostgresCheckpoints:
    """Checkpoints in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, session: Kept, checkpoint_id: UUID, at: datetime, trigger: Trigger, note: str | None) -> None:
        """Store a checkpoint of where the session stands."""
        await self._connection.execute(
            "INSERT INTO checkpoint VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            checkpoint_id,
            session.no,
            at,
            session.checkpoints,
            session.position,
            _TRIGGERS.index(trigger),
            session.head,
            note,
        )

    async def page(self, session: Kept, before: int | None, limit: int) -> list[Checkpoint]:
        """Return checkpoints, newest first."""
        rows = await self._connection.fetch(
            f"""{_SELECT} WHERE c.session_no = $1 AND ($2::bigint IS NULL OR c.number < $2)
                ORDER BY c.number DESC LIMIT $3""",
            session.no,
            before,
            limit,
        )
        return [_checkpoint(row) for row in rows]

    async def find(self, checkpoint_id: UUID) -> Checkpoint | None:
        """Return a checkpoint."""
        row = await self._connection.fetchrow(f"{_SELECT} WHERE c.id = $1", checkpoint_id)
        return None if row is None else _checkpoint(row)


def _checkpoint(row: Row) -> Checkpoint:
    snapshot = row["after_it"] or row["before_it"]
    return Checkpoint(
        id=f"ckp_{row['id'].hex}",
        session_id=row["session_id"],
        number=row["number"],
        position=row["position"],
        head=row["head"].hex(),
        trigger=_TRIGGERS[row["trigger"]],
        at=row["at"],
        note=row["note"],
        snapshot_id=f"snp_{snapshot.hex}" if snapshot else None,
    )
