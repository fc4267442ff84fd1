"""Watched processes."""

from datetime import datetime

from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import Owner, WatchState
from shim_common.db.database import Connection, Row
from shim_common.processes import is_same_process
from shim_supervisor.domain.watch import KeptWatch


class PostgresWatches:
    """Watches in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def lock(self, client: str, session: str) -> None:
        """Wait until nobody else changes what is known of this session, and keep others waiting."""
        await self._connection.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"{client}\n{session}")

    async def find(self, watch_id: str, *, lock: bool = False) -> KeptWatch | None:
        """Return the watch with this id; `lock` also locks its session, and before the watch, as everybody does."""
        watch = await self._one(watch_id)
        if watch is None or not lock:
            return watch
        await self.lock(watch.client, watch.session)
        return await self._one(watch_id, " FOR UPDATE")

    async def _one(self, watch_id: str, locked: str = "") -> KeptWatch | None:
        row = await self._connection.fetchrow(f"SELECT * FROM watch WHERE id = $1{locked}", watch_id)  # noqa: S608
        return None if row is None else watch_of(row)

    async def of_process(self, client: str, session: str, process: ProcessRef) -> KeptWatch | None:
        """Return the watch of this process for this session."""
        rows = await self._connection.fetch(
            "SELECT * FROM watch WHERE client = $1 AND session = $2 AND pid = $3 ORDER BY no DESC",
            client,
            session,
            process.pid,
        )
        return next((watch for watch in map(watch_of, rows) if is_same_process(watch.process, process)), None)

    async def has_newer(self, watch: KeptWatch) -> bool:
        """Whether a process that was made later runs the same session."""
        return bool(
            await self._connection.fetchval(
                """SELECT EXISTS (SELECT FROM watch WHERE client = $1 AND session = $2 AND created > $3
                                                      AND no <> $4 AND ended_at IS NULL)""",
                watch.client,
                watch.session,
                watch.process.created,
                watch.no,
            )
        )

    async def create(self, watch: KeptWatch) -> None:
        """Store a new watch."""
        watch.no = await self._connection.fetchval(
            """INSERT INTO watch (id, client, session, project, pid, created, managed_by, policy, group_name,
                                  started_under_shim, since)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING no""",
            watch.id,
            watch.client,
            watch.session,
            watch.project,
            watch.process.pid,
            watch.process.created,
            watch.managed_by,
            watch.policy,
            watch.group,
            watch.started_under_shim,
            watch.since,
        )

    async def save(self, watch: KeptWatch) -> None:
        """Store where the watch stands."""
        await self._connection.execute(
            """UPDATE watch SET project = $2, managed_by = $3, policy = $4, group_name = $5, started_under_shim = $6,
                                last_seen_at = $7, ended_at = $8, rss_bytes = $9, transcript_bytes = $10
               WHERE no = $1""",
            watch.no,
            watch.project,
            watch.managed_by,
            watch.policy,
            watch.group,
            watch.started_under_shim,
            watch.last_seen_at,
            watch.ended_at,
            watch.rss_bytes,
            watch.transcript_bytes,
        )

    async def page(
        self, state: WatchState | None, silent_before: datetime, before: int | None, limit: int
    ) -> list[KeptWatch]:
        """Return watches, newest first. Those not seen since `silent_before` are unknown."""
        rows = await self._connection.fetch(
            """SELECT * FROM watch
               WHERE ($1::text IS NULL OR $1 = CASE WHEN ended_at IS NOT NULL THEN 'ended'
                                                    WHEN coalesce(last_seen_at, since) < $2 THEN 'unknown'
                                                    ELSE 'running' END)
                 AND ($3::bigint IS NULL OR no < $3)
               ORDER BY no DESC LIMIT $4""",
            state,
            silent_before,
            before,
            limit,
        )
        return [watch_of(row) for row in rows]


def watch_of(row: Row) -> KeptWatch:
    """Return the watch in a row."""
    return KeptWatch(
        id=row["id"],
        client=row["client"],
        session=row["session"],
        project=row["project"],
        process=ProcessRef(pid=row["pid"], created=row["created"]),
        managed_by=Owner(row["managed_by"]),
        policy=row["policy"],
        group=row["group_name"],
        started_under_shim=row["started_under_shim"],
        since=row["since"],
        last_seen_at=row["last_seen_at"],
        ended_at=row["ended_at"],
        rss_bytes=row["rss_bytes"],
        transcript_bytes=row["transcript_bytes"],
        no=row["no"],
    )
