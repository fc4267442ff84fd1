"""Wait for what only shows by looking: files and processes."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from .log import PATIENCE

Seen = TypeVar("Seen")

INTERVAL = 0.01
"""Seconds between two looks."""


async def eventually(look: Callable[[], Seen | None]) -> Seen:
    """Look until there is something (a true value) and return it. Raises TimeoutError when patience is over."""
    async with asyncio.timeout(PATIENCE):
        while not (seen := look()):  # noqa: ASYNC110 - nobody announces these
            await asyncio.sleep(INTERVAL)
        return seen
