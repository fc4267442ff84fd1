"""Housekeeping goes on, whatever happens."""

import asyncio
from datetime import datetime

import pytest

from shim_common.kernel.clock import ManualClock
from shim_common.kernel.errors import Unavailable
from shim_supervisor import jobs
from shim_supervisor.usecases.upkeep import ANSWERS_KEPT, HISTORY_KEPT, Upkeeping

from ..building import START


class Store:
    """Housekeeping that is away at first."""

    def __init__(self) -> None:
        self.asked: list[tuple[datetime, datetime]] = []

    async def forget(self, history_before: datetime, answers_before: datetime) -> list[str]:
        self.asked.append((history_before, answers_before))
        if len(self.asked) == 1:
            raise Unavailable("away")
        return ["1 old watches"]


async def test_housekeeping_waits_for_a_store_that_is_away() -> None:
    store, pauses = Store(), []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await jobs.clean_up(Upkeeping(store, ManualClock(START)), pause)

    assert pauses == [jobs.CLEAN_UP_EVERY] * 3
    assert store.asked == [(START - HISTORY_KEPT, START - ANSWERS_KEPT)] * 3
