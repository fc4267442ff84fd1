"""Searching all sessions, and indexing those that were stored before there was an index."""

import asyncio
import itertools
from collections.abc import Sequence

from shim_checkpointer.domain import log
from shim_checkpointer.domain.digest import Digest
from shim_checkpointer.domain.passages import Passage, passage_of
from shim_checkpointer.domain.query import SearchQuery, Term, parse, snippet
from shim_checkpointer.ports import Found, PassageFilter, Place, Unindexed, Unit, Upkeep
from shim_checkpointer.usecases.context import Context, session_of
from shim_common.contracts.search import SearchHit
from shim_common.kernel.errors import Conflict, NotFound

_READ_AT_ONCE = 500
"""Entries read from the log at once."""
_AT_ONCE = 50
"""Sessions indexed in one go: the job's time is bounded, and the next one goes on."""


class Searching:
    """Searches over prompts, replies, commands, file names and errors."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def search(
        self, words: str, wanted: PassageFilter, after: Place | None, limit: int
    ) -> list[tuple[Place, SearchHit]]:
        """Return hits with their places, best first.

        Raises:
            Unprocessable: the query names no word to look for, or far too many.
        """
        query: SearchQuery = parse(words)
        async with self._context.store.look() as unit:
            found = await unit.passages.find(query, wanted, after, limit)
        return [(one.place, _hit(one, query.wanted)) for one in found]


class Indexing:
    """Indexes what was stored before there was an index; every step may be repeated or interrupted at any point."""

    def __init__(self, context: Context, upkeep: Upkeep) -> None:
        self._context = context
        self._upkeep = upkeep

    async def catch_up(self) -> list[str]:
        """Index some sessions and tidy the index; return what hindered it, if anything."""
        hindrances: list[str] = []
        for _ in range(_AT_ONCE):
            async with self._context.store.look() as unit:
                due = await unit.passages.unindexed()
            if due is None:
                break
            try:
                passages = await self._passages(due)
            except NotFound:
                continue  # deleted meanwhile
            except Conflict as error:
                hindrances.append(f"{due.session_id}: {error.detail}")
                passages = []
            async with self._context.store.begin() as unit:
                if await unit.passages.claim(due):
                    await unit.passages.add(due.session_no, passages)
        await self._upkeep.tidy_index()
        return hindrances

    async def _passages(self, due: Unindexed) -> list[Passage]:
        """Return the passages of a session's first entries, as appending them would have made them."""
        passages: list[Passage] = []
        digest = Digest()
        async with self._context.store.look() as unit:
            for after in itertools.count(0, _READ_AT_ONCE):
                payloads = await _read(unit, due, after)
                if not payloads:
                    return passages
                passages += await asyncio.to_thread(_indexed, payloads, after, digest)
        return passages


async def _read(unit: Unit, due: Unindexed, after: int) -> list[bytes]:
    count = min(_READ_AT_ONCE, due.up_to - after)
    return await unit.log.read(await session_of(unit, due.session_id), after, count) if count > 0 else []


def _indexed(payloads: Sequence[bytes], after: int, digest: Digest) -> list[Passage]:
    passages = []
    for position, payload in enumerate(payloads, start=after + 1):
        entry = log.decode(payload)
        if passage := passage_of(position, entry, digest):
            passages.append(passage)
        digest.add(entry)
    return passages


def _hit(found: Found, terms: Sequence[Term]) -> SearchHit:
    passage = found.passage
    line = snippet(passage.text, terms)
    return SearchHit(
        session_id=found.session_id,
        client=found.client,
        client_session_id=found.client_session_id,
        project=found.project,
        model=found.model,
        position=passage.position,
        at=passage.at,
        kind=passage.kind,
        tools=list(passage.tools),
        failed=passage.failed,
        rank=found.place.rank,
        snippet=line.text,
        marks=line.marks,
    )
