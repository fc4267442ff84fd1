"""Incidents and the attempts to end them."""

from collections import defaultdict
from collections.abc import Sequence

from shim_common.contracts.supervision import Attempt, AttemptOutcome, Decision, End, IncidentState
from shim_common.db.database import Connection, Row
from shim_supervisor.domain.incident import KeptIncident
from shim_supervisor.domain.watch import KeptWatch
from shim_supervisor.ports import IncidentFilter
from shim_supervisor.storage.watches import watch_of

_SELECT = """
SELECT w.*, i.no AS incident_no, i.id AS incident_id, i.state, i.opened_at, i.closed_at, i.ending, i.decision
FROM incident i JOIN watch w ON w.no = i.watch_no"""
_CLOSED = [IncidentState.RESUMED, IncidentState.DISMISSED]


class PostgresIncidents:
    """Incidents in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, incident_id: str, *, lock: bool = False) -> KeptIncident | None:
        """Return the incident with this id."""
        if lock:
            await self._connection.execute("SELECT FROM incident WHERE id = $1 FOR UPDATE", incident_id)
        return await self._one("i.id = $1", incident_id)

    async def of_watch(self, watch: KeptWatch) -> KeptIncident | None:
        """Return the incident of a watch; a process ends once, so there is one at most."""
        return await self._one("i.watch_no = $1", watch.no)

    async def _one(self, condition: str, value: object) -> KeptIncident | None:
        rows = await self._connection.fetch(f"{_SELECT} WHERE {condition}", value)
        return next(iter(await self._whole(rows)), None)

    async def standing_before(self, watch: KeptWatch) -> list[KeptIncident]:
        """Return and lock the incidents of this watch's session that are not closed, of processes made earlier."""
        rows = await self._connection.fetch(
            f"""{_SELECT} WHERE w.session = $1 AND w.client = $2 AND w.created < $3 AND w.no <> $4
                            AND i.state <> ALL($5) ORDER BY i.no FOR UPDATE OF i""",
            watch.session,
            watch.client,
            watch.process.created,
            watch.no,
            _CLOSED,
        )
        return await self._whole(rows)

    async def create(self, incident: KeptIncident) -> None:
        """Store a new incident."""
        incident.no = await self._connection.fetchval(
            """INSERT INTO incident (id, watch_no, state, opened_at, closed_at, ending, decision)
               VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING no""",
            incident.id,
            incident.watch.no,
            incident.state,
            incident.opened_at,
            incident.closed_at,
            incident.end.model_dump_json().encode(),
            incident.decision.model_dump_json().encode(),
        )

    async def save(self, incident: KeptIncident) -> None:
        """Store where the incident stands."""
        await self._connection.execute(
            "UPDATE incident SET state = $2, closed_at = $3 WHERE no = $1",
            incident.no,
            incident.state,
            incident.closed_at,
        )

    async def add_attempt(self, incident: KeptIncident, attempt: Attempt) -> None:
        """Store a try to end the incident."""
        await self._connection.execute(
            "INSERT INTO attempt (incident_no, at, outcome, pid, launcher, why) VALUES ($1, $2, $3, $4, $5, $6)",
            incident.no,
            attempt.at,
            attempt.outcome,
            attempt.pid,
            attempt.launcher,
            attempt.why,
        )
        incident.attempts.append(attempt)

    async def page(self, wanted: IncidentFilter, before: int | None, limit: int) -> list[KeptIncident]:
        """Return incidents, newest first."""
        rows = await self._connection.fetch(
            f"""{_SELECT}
                WHERE ($1::text IS NULL OR i.state = $1) AND ($2::text IS NULL OR w.session = $2)
                  AND ($3::bigint IS NULL OR i.no < $3)
                ORDER BY i.no DESC LIMIT $4""",
            wanted.state,
            wanted.session,
            before,
            limit,
        )
        return await self._whole(rows)

    async def _whole(self, rows: Sequence[Row]) -> list[KeptIncident]:
        """Return the incidents in rows with their attempts."""
        attempts = defaultdict(list)
        for row in await self._connection.fetch(
            "SELECT * FROM attempt WHERE incident_no = ANY($1) ORDER BY no", [row["incident_no"] for row in rows]
        ):
            attempts[row["incident_no"]].append(_attempt(row))
        return [_incident(row, attempts[row["incident_no"]]) for row in rows]


def _incident(row: Row, attempts: list[Attempt]) -> KeptIncident:
    return KeptIncident(
        id=row["incident_id"],
        watch=watch_of(row),
        state=IncidentState(row["state"]),
        opened_at=row["opened_at"],
        closed_at=row["closed_at"],
        end=End.model_validate_json(row["ending"]),
        decision=Decision.model_validate_json(row["decision"]),
        attempts=attempts,
        no=row["incident_no"],
    )


def _attempt(row: Row) -> Attempt:
    return Attempt(
        at=row["at"],
        outcome=AttemptOutcome(row["outcome"]),
        pid=row["pid"],
        launcher=row["launcher"],
        why=row["why"],
    )
