"""The outbox of all services: events written in the transaction that caused them, and the relay that publishes them.

The relay numbers rows once they are visible (commits are not in the order of identity columns) and adds
them to the stream under that number, a batch at once or not at all, and only while the stream ends where
it was seen to end. So nothing is published twice or left out, and a lost stream is filled again from the table.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import orjson
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shim_common.contracts.envelope import Event
from shim_common.db.database import Connection, Database, Row
from shim_common.kernel.errors import ShimError
from shim_common.kernel.retry import Backoff

SCHEMA = "bus"
"""The schema of the outbox: one for all services, so that all events have one order."""
STREAM = "shim:events"
STREAM_LENGTH = 10_000
"""Entries kept in Redis, about; the table holds the history."""
_BATCH = 500
_LOCK = 0x53484F42
_POLL = 1.0
"""Seconds between looks at the table when nobody rings."""
_PAUSE = 0.05
"""Seconds between publishing and publishing again, so that of a burst the first goes out at once, the rest together."""

_ADD_BATCH = """
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
if (newest[1] and newest[1][1] or '') ~= ARGV[1] then return 0 end
for at = 3, #ARGV, 2 do
  redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], ARGV[at], 'event', ARGV[at + 1])
end
return 1
"""
"""Adds events if the stream still ends where it was seen to: another relay may have been faster, or Redis emptied."""

log = structlog.get_logger(__name__)


async def append(connection: Connection, events: Sequence[Event]) -> None:
    """Write events inside the caller's transaction."""
    for event in events:
        await connection.execute(
            """INSERT INTO bus.outbox (id, type, version, occurred_at, source, subject, actor, project_id, chain_id,
                                   session_id, traceparent, causation_id, data)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)""",
            *_row(event),
        )


def _row(event: Event) -> tuple[object, ...]:
    return (
        event.id,
        event.type,
        event.version,
        event.occurred_at,
        event.source,
        event.subject,
        event.actor,
        event.project_id,
        event.chain_id,
        event.session_id,
        event.traceparent,
        event.causation_id,
        orjson.dumps(event.data),
    )


def event_of(row: Row) -> Event:
    """Return the event in a row of the outbox."""
    fields = {name: value for name, value in row.items() if name != "seq"}
    return Event(**{**fields, "data": orjson.loads(row["data"])})


_COLUMNS = """id, type, version, occurred_at, source, subject, actor, project_id, chain_id, session_id,
              traceparent, causation_id, data"""


async def history(
    connection: Connection, *, after: str | None, limit: int, types: Sequence[str], session: str | None
) -> list[Event]:
    """Return published events after the one with this id, oldest first; from the first for an unknown id."""
    rows = await connection.fetch(
        f"""SELECT {_COLUMNS} FROM bus.outbox
            WHERE seq > coalesce((SELECT seq FROM bus.outbox WHERE id = $1), 0)
              AND (cardinality($2::text[]) = 0 OR type = ANY($2)) AND ($3::text IS NULL OR session_id = $3)
            ORDER BY seq LIMIT $4""",  # noqa: S608 - the columns are ours
        after,
        list(types),
        session,
        limit,
    )
    return [event_of(row) for row in rows]


async def newest(connection: Connection) -> int:
    """Return the number of the newest published event, 0 where there is none."""
    return int(await connection.fetchval("SELECT coalesce(max(seq), 0) FROM bus.outbox"))


async def forget_before(connection: Connection, moment: datetime, limit: int = 5000) -> int:
    """Delete published events older than the moment; return how many went."""
    status = await connection.execute(
        """DELETE FROM bus.outbox WHERE id IN
             (SELECT id FROM bus.outbox WHERE seq IS NOT NULL AND occurred_at < $1 ORDER BY seq LIMIT $2)""",
        moment,
        limit,
    )
    return int(status.split()[-1])


_NUMBER = """
WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock($1) AS is_ours),
     fresh AS MATERIALIZED (
       SELECT id FROM bus.outbox WHERE seq IS NULL AND (SELECT is_ours FROM turn) ORDER BY position LIMIT $2),
     numbered AS MATERIALIZED (SELECT id, nextval('bus.outbox_seq') AS seq FROM fresh)
UPDATE bus.outbox SET seq = numbered.seq FROM numbered WHERE outbox.id = numbered.id AND outbox.seq IS NULL"""
"""Gives events their numbers, in the order in which they were written; one relay does so at a time.

A relay whose turn came just after another's may still see that one's events without their numbers: the last condition
is judged anew on the rows as they are by then, so no event gets a second number.
"""

_AFTER = f"""
SELECT seq, {_COLUMNS} FROM bus.outbox
WHERE seq > greatest($1, (SELECT max(seq) FROM bus.outbox) - $2) ORDER BY seq LIMIT $3"""  # noqa: S608 - the columns are ours


async def forget_session(connection: Connection, session_id: str) -> None:
    """Delete all events of a session."""
    await connection.execute("DELETE FROM bus.outbox WHERE session_id = $1", session_id)


@dataclass
class Relay:
    """Moves events from the table to the stream, in order, at least once; waits out both stores."""

    database: Database
    redis: Redis
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        self._bell = asyncio.Event()
        self._add = self.redis.register_script(_ADD_BATCH)

    def ring(self) -> None:
        """Say that something was committed."""
        self._bell.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        waits = self.backoff.waits()
        while True:
            try:
                moved = await self.publish_once()
                waits = self.backoff.waits()
            except (ShimError, RedisError, OSError) as error:
                log.warning("relay.waiting", reason=type(error).__name__)
                await asyncio.sleep(next(waits))
                continue
            if not moved:
                await self._listen()

    async def _listen(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.sleep(_PAUSE)
            await asyncio.wait_for(self._bell.wait(), _POLL)
        self._bell.clear()

    async def publish_once(self) -> int:
        """Publish what is there; return how many events there were.

        Raises:
            Unavailable: the database is away.
            RedisError: Redis is away.
        """
        async with self.database.connection() as connection:
            await connection.execute(_NUMBER, _LOCK, _BATCH)
        end = await self._end()
        async with self.database.connection() as connection:
            rows = await connection.fetch(_AFTER, end, STREAM_LENGTH, _BATCH)
            if not rows and end > await newest(connection):
                # the stream belongs to other data: an older dump of the database was put back
                await self.redis.delete(STREAM)
                end = 0
                rows = await connection.fetch(_AFTER, end, STREAM_LENGTH, _BATCH)
        if rows:
            content = [part for row in rows for part in (f"{row['seq']}-0", event_of(row).model_dump_json())]
            await self._add(keys=[STREAM], args=[f"{end}-0" if end else "", STREAM_LENGTH, *content])
        return len(rows)

    async def _end(self) -> int:
        newest = await self.redis.xrevrange(STREAM, count=1)
        return int(newest[0][0].split(b"-")[0]) if newest else 0
