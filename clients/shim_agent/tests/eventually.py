"""Waits for what happens inside the agent, where nothing announces it."""

import asyncio
from collections.abc import Callable


async def eventually(holds: Callable[[], object], seconds: float = 15.0) -> None:
    """Return as soon as it holds; TimeoutError where that takes too long."""
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.005)
