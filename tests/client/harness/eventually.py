"""Wait for what only shows by looking: files and processes."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from .log import PATIENCE

Seen = TypeVar("Seen")

INTERVAL = 0.03
"""Seconds between two looks."""

BETWEEN_QUESTIONS = 0.05
"""Seconds between two questions to SHIM, each of which costs it some work."""


async def eventually(look: Callable[[], Seen | None]) -> Seen:
    """Look until there is something (a true value) and return it. Raises TimeoutError when patience is over."""
    async with asyncio.timeout(PATIENCE):
        while not (seen := look()):
            await asyncio.sleep(INTERVAL)
        return seen


async def until_quiet(ask: Callable[[], Awaitable[Sequence[str]]]) -> None:
    """Ask until there are no complaints. Raises TimeoutError with the last ones when patience is over."""
    complaints: Sequence[str] = ["never asked"]
    try:
        async with asyncio.timeout(PATIENCE):
            while complaints := await ask():
                await asyncio.sleep(BETWEEN_QUESTIONS)
    except TimeoutError:
        raise TimeoutError(f"still after {PATIENCE} s: {'; '.join(complaints)}") from None
