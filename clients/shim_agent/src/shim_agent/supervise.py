"""Keeps the agent's parts running: one that fails is started again and takes no other with it."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable

import structlog

from shim_common.kernel.retry import Backoff

log = structlog.get_logger()

HEALTHY_SECONDS = 60.0
"""A part that ran so long was well: the waits start from the shortest again."""


async def keep(name: str, part: Callable[[], Awaitable[None]], backoff: Backoff) -> None:
    """Run a part again and again until cancelled."""
    waits = backoff.waits()
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        try:
            await part()
        except Exception as error:  # noqa: BLE001 - the boundary between parts, which must outlive each other
            log.error("part_failed", part=name, error=_kinds(error), where=_place(error))
        if loop.time() - started > HEALTHY_SECONDS:
            waits = backoff.waits()
        await asyncio.sleep(next(waits))


def _kinds(error: BaseException) -> str:
    """Name the kinds of error, never their messages: those may quote a conversation."""
    if isinstance(error, BaseExceptionGroup):
        return ", ".join(sorted({_kinds(inner) for inner in error.exceptions}))
    return type(error).__name__


def _place(error: BaseException) -> list[str]:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-5:]]
