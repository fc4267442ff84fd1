"""Trying again, as long as it takes: SHIM may be away for a second or a weekend."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from shim_common.kernel.errors import (
    Forbidden,
    RateLimited,
    ShimError,
    StorageFull,
    Unauthorized,
    Unavailable,
)
from shim_common.kernel.retry import Backoff

log = structlog.get_logger()

PASSING = (Unavailable, RateLimited, StorageFull, Unauthorized, Forbidden)
"""What may be over later without a change to the request. A refused key is among them: keys are rotated, and
what was collected must not be lost until the agent finds the new one."""

LONGEST_ASKED_FOR = 60.0
"""Seconds to wait at the most because a server asks for it: it may be well much sooner."""

_T = TypeVar("_T")


async def until_done(what: str, call: Callable[[], Awaitable[_T]], backoff: Backoff) -> _T:
    """Call until it succeeds; other errors than the passing ones are raised."""
    waits = backoff.waits()
    told = False
    while True:
        try:
            return await call()
        except PASSING as error:
            if not told:
                log.warning("trying_again", what=what, code=error.problem_code, reason=error.detail)
                told = True
            await asyncio.sleep(wait_after(error, next(waits)))


def wait_after(error: ShimError, wait: float) -> float:
    """Return the seconds to wait: what the server asks for within reason, at least `wait`."""
    return max(wait, min(error.retry_after or 0.0, LONGEST_ASKED_FOR))
