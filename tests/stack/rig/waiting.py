"""Wait for what only shows by looking."""

import time
from collections.abc import Callable
from typing import TypeVar

PATIENCE = 120.0
"""Seconds that something may take on a busy machine before it counts as not happening."""
INTERVAL = 0.02
"""Seconds between two looks."""

Seen = TypeVar("Seen")


def eventually(look: Callable[[], Seen | None], what: str, seconds: float = PATIENCE) -> Seen:
    """Look until there is something (a true value) and return it; fail with `what` when patience is over."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"after {seconds:.0f} s still not: {what}")
        time.sleep(INTERVAL)
    return seen
