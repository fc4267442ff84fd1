"""Follows the event stream as it grows; survives the loss of Redis."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from shim_common.contracts.envelope import Event
from shim_common.db.outbox import STREAM
from shim_common.kernel.retry import Backoff

log = structlog.get_logger(__name__)
_BLOCK_MILLISECONDS = 5000


async def follow(redis: Redis, after: int | None = None, backoff: Backoff | None = None) -> AsyncIterator[Event]:
    """Yield every event with a number above `after`, or published from now on; without end, reconnects with jitter.

    What is no event is passed over, so that one bad entry does not end everything behind it.

    Entry ids are the numbers of the outbox, so the place still holds after Redis was lost and filled again.
    """
    pauses = backoff or Backoff()
    waits = pauses.waits()
    last = None if after is None else b"%d-0" % after
    while True:
        try:
            if last is None:
                newest = await redis.xrevrange(STREAM, count=1)
                last = newest[0][0] if newest else b"0"
            answer = await redis.xread({STREAM: last}, count=200, block=_BLOCK_MILLISECONDS)
        except (RedisError, OSError) as error:
            log.warning("stream.waiting", reason=type(error).__name__)
            await asyncio.sleep(next(waits))
            continue
        waits = pauses.waits()
        for _, entries in answer:
            for entry_id, fields in entries:
                last = entry_id
                event = _event_of(fields)
                if event is not None:
                    yield event


def _event_of(fields: Mapping[bytes, bytes]) -> Event | None:
    try:
        return Event.model_validate_json(fields[b"event"])
    except (KeyError, ValueError) as error:
        log.error("stream.unreadable", reason=type(error).__name__)
        return None
