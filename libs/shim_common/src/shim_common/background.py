"""Work in the background of a service."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import structlog

from shim_common.kernel.retry import Backoff

log = structlog.get_logger(__name__)


@asynccontextmanager
async def running(name: str, work: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Do work in the background for the length of a block, again whenever it ends or fails."""
    task = asyncio.create_task(keep(name, work))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def keep(name: str, work: Callable[[], Awaitable[None]], backoff: Backoff | None = None) -> None:
    """Do work until cancelled, again whenever it ends or fails."""
    this_task = asyncio.current_task()
    waits = (backoff or Backoff(base=0.5)).waits()
    while True:
        try:
            await work()
        except Exception as error:  # the edge of the background: an error nobody foresaw must not end it unheard
            log.error("background.failed", what=name, error=type(error).__name__, exc_info=error)
        if this_task is not None and this_task.cancelling():  # the error came up while it was being cancelled
            return
        await asyncio.sleep(next(waits))
