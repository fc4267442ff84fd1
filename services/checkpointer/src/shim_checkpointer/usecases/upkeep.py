"""What has to be done now and then: noticing silence, sealing old entries, keeping to the size budget."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import timedelta

from shim_checkpointer.domain import log
from shim_checkpointer.domain.interruption import LapseWatch
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.ports import Unit, Upkeep
from shim_checkpointer.usecases.context import Context, session_of
from shim_checkpointer.usecases.sessions import SessionLife
from shim_common.contracts.sessions import SessionState
from shim_common.kernel.errors import Conflict, NotFound

_READ_AT_ONCE = 500
"""Entries read from the log at once while a block is gathered."""


class Upkeeping:
    """Housekeeping; every step may be repeated or interrupted at any point."""

    def __init__(self, context: Context, upkeep: Upkeep, life: SessionLife) -> None:
        self._context = context
        self._upkeep = upkeep
        self._life = life
        self._watch = LapseWatch(context.parameters.value("heartbeat_lapse_s"))

    async def stop_silent(self) -> list[str]:
        """Stop sessions whose heartbeat lapsed; return what hindered it, if anything."""
        clock = self._context.clock
        moment = self._watch.silent_before(clock.now(), clock.monotonic())
        if moment is None:
            return []
        async with self._context.store.begin() as unit:
            silent = await unit.sessions.silent_since(moment)
        return await _each(silent, self._life.lapse)

    async def seal_due(self) -> list[str]:
        """Seal the logs whose fresh part is large, or whose session is over; return what hindered it, if anything."""
        limit = int(self._context.parameters.value("seal_mib") * 1024 * 1024)
        return await _each(await self._upkeep.to_seal(limit), self.seal)

    async def seal(self, sid: str, *, whole: bool = False) -> int:
        """Seal a session's fresh entries in blocks; return how many blocks were made.

        A log that still grows keeps what does not fill a block; one that is over is sealed to its end.
        """
        blocks = 0
        while await self._seal_one(sid, whole=whole):
            blocks += 1
        return blocks

    async def _seal_one(self, sid: str, *, whole: bool) -> bool:
        """Seal the next block; False if there is none to make, or somebody else was faster."""
        async with self._context.store.look() as unit:
            session = await session_of(unit, sid)
            fresh = await _enough_for_a_block(unit, session)
        payloads = log.first_block(fresh, whole=whole or session.state is not SessionState.ACTIVE)
        if not payloads:
            return False
        block = await asyncio.to_thread(log.seal, payloads)
        async with self._context.store.begin() as unit:
            now = await session_of(unit, sid, lock=True)
            if now.sealed != session.sealed:
                return False
            last = session.sealed + len(payloads)
            await unit.log.seal(now, block, last)
            now.sealed = last
            now.tail_bytes = max(0, now.tail_bytes - sum(map(len, payloads)))
            await unit.sessions.save(now)
        return True

    async def clean_up(self) -> list[str]:
        """Forget old events and answers, unused contents, and the oldest sessions over the budget; say what went."""
        now = self._context.clock.now()
        keep = timedelta(days=self._context.parameters.value("events_kept_days"))
        gone = await self._upkeep.forget(now - keep, now - timedelta(days=1))
        gone += await self._upkeep.drop_unused_blobs(now - timedelta(hours=1))
        budget = int(self._context.parameters.value("store_budget_gib") * 1024**3)
        while await self._upkeep.stored_bytes() > budget:
            oldest = await self._upkeep.oldest_over()
            if oldest is None or oldest.state is SessionState.ACTIVE:
                break
            if await self._life.delete(oldest.id, "retention", even_active=False):
                gone.append(f"session {oldest.client_session_id} of {oldest.project}: over the size budget")
            gone += await self._upkeep.drop_unused_blobs(now - timedelta(hours=1))
        return gone


async def _each(sids: Iterable[str], work: Callable[[str], Awaitable[object]]) -> list[str]:
    """Do the work for each session; one that is damaged does not keep the others waiting."""
    hindrances: list[str] = []
    for sid in sids:
        try:
            await work(sid)
        except NotFound:
            continue  # deleted meanwhile
        except Conflict as error:
            hindrances.append(f"{sid}: {error.detail}")
    return hindrances


async def _enough_for_a_block(unit: Unit, session: Kept) -> list[bytes]:
    fresh: list[bytes] = []
    while page := await unit.log.read(session, session.sealed + len(fresh), _READ_AT_ONCE):
        fresh += page
        if sum(map(len, fresh)) >= log.BLOCK_BYTES:
            break
    return fresh
