"""Deferred work: arq runs it, Postgres knows what is due, so a lost Redis loses nothing."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
from arq import Worker, cron
from arq.connections import ArqRedis
from redis.asyncio import ConnectionPool
from redis.exceptions import RedisError

from shim_checkpointer.usecases.searching import Indexing
from shim_checkpointer.usecases.upkeep import Upkeeping
from shim_common.kernel.errors import ShimError

log = structlog.get_logger(__name__)
QUEUE = "shim:checkpointer:jobs"
_EVERY_TEN_SECONDS = set(range(0, 60, 10))
LOOK_FOR_SILENCE = 2.0
"""Seconds between looks for lapsed heartbeats."""


async def seal_due(ctx: dict[Any, Any], *_: object, **__: object) -> None:
    """Seal what is due."""
    for hindrance in await ctx["upkeeping"].seal_due():
        log.error("upkeep.not_sealed", why=hindrance)


async def index_due(ctx: dict[Any, Any], *_: object, **__: object) -> None:
    """Index what was stored before there was an index, and keep the index tidy."""
    for hindrance in await ctx["indexing"].catch_up():
        log.error("index.not_read", why=hindrance)


async def clean_up(ctx: dict[Any, Any], *_: object, **__: object) -> None:
    """Remove what is not kept any longer."""
    for what in await ctx["upkeeping"].clean_up():
        log.info("upkeep.removed", what=what)


class _Redis(ArqRedis):
    """Closes in the way of redis-py 5: arq still calls it by the old name, which warns."""

    async def close(self, close_connection_pool: bool | None = None) -> None:
        """Close."""
        await self.aclose(close_connection_pool)


async def run_jobs(redis_url: str, upkeeping: Upkeeping, indexing: Indexing) -> None:
    """Work until cancelled, or until Redis is lost: an arq worker does not find it again."""
    redis = _Redis(connection_pool=ConnectionPool.from_url(redis_url))
    worker = Worker(
        cron_jobs=[
            cron(seal_due, second=_EVERY_TEN_SECONDS, timeout=300),
            cron(index_due, second=_EVERY_TEN_SECONDS, timeout=300),
            cron(clean_up, minute={7, 37}, timeout=600),
        ],
        ctx={"upkeeping": upkeeping, "indexing": indexing},
        queue_name=QUEUE,
        redis_pool=redis,
        handle_signals=False,
        max_jobs=2,
        log_results=False,
    )
    try:
        await worker.async_run()
    except (RedisError, OSError) as error:
        log.warning("jobs.waiting", reason=type(error).__name__)
    finally:
        await asyncio.shield(_close(worker, redis))


async def _close(worker: Worker, redis: ArqRedis) -> None:
    try:
        await worker.close()
    except (RedisError, OSError) as error:
        log.info("jobs.closed_without_redis", reason=type(error).__name__)
    finally:
        await redis.aclose(close_connection_pool=True)


async def watch_for_silence(
    upkeeping: Upkeeping, pause: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep
) -> None:
    """Look for lapsed heartbeats until cancelled. It does not wait for Redis: a crash must be seen without it."""
    told: set[str] = set()
    while True:
        try:
            hindrances = set(await upkeeping.stop_silent())
        except ShimError as error:
            log.warning("silence.waiting", reason=error.problem_code)
        else:
            for hindrance in sorted(hindrances - told):
                log.error("silence.not_stopped", why=hindrance)
            told = hindrances
        await pause(LOOK_FOR_SILENCE)
