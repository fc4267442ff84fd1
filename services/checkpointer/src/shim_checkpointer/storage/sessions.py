"""Sessions and their moving state."""

from datetime import datetime

import orjson

from shim_checkpointer.domain.digest import Digest
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.ports import SessionFilter
from shim_checkpointer.storage.packing import pack, unpack
from shim_common.contracts.sessions import ProcessRef, SessionState, ToolProcess
from shim_common.db import outbox
from shim_common.db.database import Connection, Row
from shim_common.kernel.errors import Conflict

_SELECT = "SELECT s.*, p.* FROM session s JOIN progress p ON p.session_no = s.no"
_LOCKED = " FOR UPDATE"
"""Both rows: of one that is not locked, whoever had to wait for the lock would see what stood there before."""


class PostgresSessions:
    """Sessions in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def find(self, sid: str, *, lock: bool = False) -> Kept | None:
        """Return the session with this id, SHIM's or the client's own (some clients' ids begin like ours)."""
        row = await self._connection.fetchrow(
            f"{_SELECT} WHERE s.id = $1 OR s.client_session_id = $1"
            f" ORDER BY s.id = $1 DESC, s.no DESC LIMIT 1{_LOCKED if lock else ''}",
            sid,
        )
        return None if row is None else _kept(row)

    async def of_client(self, client: str, client_session_id: str) -> Kept | None:
        """Return and lock a client's session."""
        row = await self._connection.fetchrow(
            f"{_SELECT} WHERE s.client_session_id = $1 AND s.client = $2{_LOCKED}", client_session_id, client
        )
        return None if row is None else _kept(row)

    async def create(self, session: Kept) -> bool:
        """Store a new session; False if its client id is taken."""
        no = await self._connection.fetchval(
            """WITH made AS (
                 INSERT INTO session (id, chain_id, client, client_session_id, client_version, model, project, state,
                                      started_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (client, client_session_id) DO NOTHING RETURNING no)
               INSERT INTO progress (session_no, last_seen_at, turn_open, position, sealed, tail_bytes, head,
                                     checkpoints, checkpointed_calls, fresh_bytes, transcript_bytes, digest, raised)
               SELECT no, $10, false, 0, 0, 0, $11, 0, 0, 0, 0, $12, '{}' FROM made RETURNING session_no""",
            session.id,
            session.chain_id,
            session.client,
            session.client_session_id,
            session.client_version,
            session.model,
            session.project,
            session.state,
            session.started_at,
            session.last_seen_at,
            session.head,
            pack(session.digest),
        )
        session.no = no or 0
        return no is not None

    async def save(self, session: Kept) -> None:
        """Store where the session stands."""
        await self._connection.execute(
            """WITH about AS (
                 UPDATE session
                 SET state = $21, ended_at = $22, end_reason = $23, model = $24, client_version = $25, project = $26
                 WHERE no = $1 AND (state, ended_at, end_reason, model, client_version, project)
                       IS DISTINCT FROM ($21, $22::timestamptz, $23, $24, $25, $26))
               UPDATE progress SET last_seen_at = $2, turn_open = $3, prompt_id = $4, position = $5, sealed = $6,
                 tail_bytes = $7, head = $8, checkpoints = $9, checkpointed_calls = $10, transcript_bytes = $11,
                 pid = $12, pid_created = $13, hooked_at = $14, digest = $15, risk = $16, processes = $17, bundle = $18,
                 fresh_bytes = $19, raised = $20
               WHERE session_no = $1""",
            session.no,
            session.last_seen_at,
            session.turn_open,
            session.prompt_id,
            session.position,
            session.sealed,
            session.tail_bytes,
            session.head,
            session.checkpoints,
            session.checkpointed_calls,
            session.transcript_bytes,
            session.process.pid if session.process else None,
            session.process.created if session.process else None,
            session.hooked_at,
            pack(session.digest),
            orjson.dumps(session.risk) if session.risk else None,
            orjson.dumps([process.model_dump() for process in session.processes]) if session.processes else None,
            pack(session.bundle) if session.bundle else None,
            session.fresh_bytes,
            session.raised,
            session.state,
            session.ended_at,
            session.end_reason,
            session.model,
            session.client_version,
            session.project,
        )

    async def page(self, wanted: SessionFilter, before: int | None, limit: int) -> list[Kept]:
        """Return sessions, newest first."""
        rows = await self._connection.fetch(
            f"""{_SELECT}
                WHERE ($1::text IS NULL OR s.project = $1) AND ($2::text IS NULL OR s.state = $2)
                  AND ($3::text IS NULL OR s.client = $3) AND ($4::bigint IS NULL OR s.no < $4)
                  AND ($5::text IS NULL OR s.no IN (SELECT session_no FROM observation WHERE subject = $5))
                ORDER BY s.no DESC LIMIT $6""",  # noqa: S608 - the text is ours
            wanted.project,
            wanted.state,
            wanted.client,
            before,
            wanted.tool_use_id,
            limit,
        )
        return [_kept(row) for row in rows]

    async def silent_since(self, moment: datetime) -> list[str]:
        """Return the ids of active sessions that were last seen before the moment."""
        rows = await self._connection.fetch(
            """SELECT s.id FROM session s JOIN progress p ON p.session_no = s.no
               WHERE s.state = 'active' AND p.last_seen_at < $1 ORDER BY s.no LIMIT 500""",
            moment,
        )
        return [row["id"] for row in rows]

    async def of_process(self, client: str, pid: int, but: str) -> Kept | None:
        """Return the newest session of this client process that is active or was cleared, other than the one named."""
        row = await self._connection.fetchrow(
            f"""{_SELECT} WHERE s.client = $1 AND p.pid = $2 AND s.client_session_id <> $3
                  AND (s.state = 'active' OR s.end_reason = 'clear')
                ORDER BY p.last_seen_at DESC LIMIT 1""",
            client,
            pid,
            but,
        )
        return None if row is None else _kept(row)

    async def delete(self, session: Kept) -> None:
        """Remove everything stored of a session; contents shared with others go with the next clean-up."""
        tables = (
            "unindexed",  # first: whoever indexes the session at this moment is waited for
            *("passage", "entry", "block", "source", "checkpoint", "observation", "signal", "snapshot", "progress"),
        )
        for table in tables:
            await self._connection.execute(f"DELETE FROM {table} WHERE session_no = $1", session.no)  # noqa: S608
        await outbox.forget_session(self._connection, session.id)
        await self._connection.execute("DELETE FROM session WHERE no = $1", session.no)


def _kept(row: Row) -> Kept:
    try:
        return _read(row)
    except (ValueError, TypeError) as error:
        raise Conflict(f"what is stored of session {row['id']} is damaged", code="integrity") from error


def _read(row: Row) -> Kept:
    processes = orjson.loads(row["processes"]) if row["processes"] else []
    return Kept(
        no=row["no"],
        id=row["id"],
        chain_id=row["chain_id"],
        client=row["client"],
        client_session_id=row["client_session_id"],
        client_version=row["client_version"],
        model=row["model"],
        project=row["project"],
        state=SessionState(row["state"]),
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        end_reason=row["end_reason"],
        last_seen_at=row["last_seen_at"],
        turn_open=row["turn_open"],
        prompt_id=row["prompt_id"],
        position=row["position"],
        sealed=row["sealed"],
        tail_bytes=row["tail_bytes"],
        head=row["head"],
        checkpoints=row["checkpoints"],
        checkpointed_calls=row["checkpointed_calls"],
        fresh_bytes=row["fresh_bytes"],
        raised=row["raised"],
        transcript_bytes=row["transcript_bytes"],
        process=ProcessRef(pid=row["pid"], created=row["pid_created"]) if row["pid"] else None,
        hooked_at=row["hooked_at"],
        digest=Digest.from_json(unpack(row["digest"])),
        risk=orjson.loads(row["risk"]) if row["risk"] else None,
        processes=[ToolProcess(**process) for process in processes],
        bundle=unpack(row["bundle"]) if row["bundle"] else None,
    )
