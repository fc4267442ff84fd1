"""Housekeeping: history is kept for a season, answers for a day."""

from datetime import timedelta

from shim_common.kernel.clock import Clock
from shim_supervisor.ports import Upkeep

HISTORY_KEPT = timedelta(days=90)
"""As long as events are kept everywhere in SHIM."""
ANSWERS_KEPT = timedelta(days=1)
"""A request that was not repeated within a day will not be."""


class Upkeeping:
    """Forgets what is old; every round may be repeated or interrupted at any point."""

    def __init__(self, upkeep: Upkeep, clock: Clock) -> None:
        self._upkeep = upkeep
        self._clock = clock

    async def clean_up(self) -> list[str]:
        """Remove what is not kept any longer; say what went."""
        now = self._clock.now()
        return await self._upkeep.forget(now - HISTORY_KEPT, now - ANSWERS_KEPT)
