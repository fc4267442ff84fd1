"""Work in the background. None of it waits for Redis, and Postgres knows what is due."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from shim_common.kernel.errors import ShimError
from shim_supervisor.usecases.upkeep import Upkeeping

log = structlog.get_logger(__name__)
CLEAN_UP_EVERY = 3600.0
"""Seconds between two rounds of housekeeping."""


async def clean_up(upkeeping: Upkeeping, pause: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep) -> None:
    """Remove what is not kept any longer, now and then, until cancelled."""
    while True:
        try:
            for what in await upkeeping.clean_up():
                log.info("upkeep.removed", what=what)
        except ShimError as error:
            log.warning("upkeep.waiting", reason=error.problem_code)
        await pause(CLEAN_UP_EVERY)
