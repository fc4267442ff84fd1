"""Old entries are sealed into blocks: fewer bytes, the same log."""

import asyncio
import random

import httpx

from shim_checkpointer.api import Services
from shim_checkpointer.domain import log
from shim_checkpointer.storage.upkeep import PostgresUpkeep
from shim_checkpointer.usecases.upkeep import Upkeeping
from shim_common.db.database import Database
from shim_common.kernel.clock import ManualClock

from ..building import Json, append, everything, new_entry, open_session, prompt, reply, says

WORDS = ["cart", "payment", "index", "table", "migration", "def", "return", "self", "assert", "order", "total"]


def entries(first: int, count: int, words: int = 200) -> list[Json]:
    """Messages that are as alike as real ones are."""
    made = []
    for number in range(first, first + count):
        draw = random.Random(number)
        text = " ".join(draw.choices(WORDS, k=words))
        body = prompt(text) if number % 2 else reply(says(text), message_id=f"msg_{number}", stop_reason="tool_use")
        made.append(new_entry(f"m{number}", body, seconds=number))
    return made


async def rows(database: Database) -> tuple[int, int, int]:
    """Fresh entries, blocks, and the bytes of both."""
    async with database.connection() as connection:
        found = await connection.fetchrow(
            """SELECT (SELECT count(*) FROM entry) AS entries, (SELECT count(*) FROM block) AS blocks,
                 (SELECT coalesce(sum(octet_length(body)), 0) FROM entry)
                 + (SELECT coalesce(sum(octet_length(body)), 0) FROM block) AS bytes"""
        )
    assert found is not None
    return found["entries"], found["blocks"], int(found["bytes"])


async def fill(api: httpx.AsyncClient, sid: str, first: int, count: int, words: int = 200) -> None:
    for start in range(first, first + count, 500):
        await append(api, sid, *entries(start, min(500, first + count - start), words))


async def test_sealing_saves_bytes_and_changes_nothing_that_is_read(
    api: httpx.AsyncClient, services: Services, database: Database
) -> None:
    sid = await open_session(api)
    await fill(api, sid, 0, 200)
    before, (_, _, bytes_before) = await everything(api, sid), await rows(database)
    integrity = (await api.get(f"/v1/sessions/{sid}/integrity")).json()

    assert await services.upkeeping.seal(sid, whole=True) == 1

    fresh, blocks, bytes_after = await rows(database)
    assert (fresh, blocks) == (0, 1)
    assert bytes_after < bytes_before / 2
    assert await everything(api, sid) == before
    assert (await api.get(f"/v1/sessions/{sid}/integrity")).json() == integrity
    assert integrity["verified"] is True


async def test_any_page_over_the_border_is_the_same(api: httpx.AsyncClient, services: Services) -> None:
    sid = await open_session(api)
    for first in (0, 10, 20):
        await append(api, sid, *entries(first, 10, words=3))
        if first < 20:
            await services.upkeeping.seal(sid, whole=True)
    whole = await everything(api, sid)
    assert [entry["position"] for entry in whole] == list(range(1, 31))

    for after in range(31):
        for limit in (1, 7, 10, 11, 30):
            page = (await api.get(f"/v1/sessions/{sid}/entries", params={"after": after, "limit": limit})).json()
            assert page["items"] == whole[after : after + limit]


async def test_a_growing_log_is_sealed_block_by_block(
    api: httpx.AsyncClient, services: Services, database: Database
) -> None:
    sid = await open_session(api)
    await fill(api, sid, 0, 1000, words=400)
    payload_bytes = 1000 * 400 * 6

    assert await services.upkeeping.seal_due() == []

    fresh, blocks, _ = await rows(database)
    assert blocks == payload_bytes // log.BLOCK_BYTES
    assert 0 < fresh < 1000
    assert (await api.get(f"/v1/sessions/{sid}/integrity")).json()["verified"] is True


async def test_what_is_due(api: httpx.AsyncClient, services: Services, database: Database) -> None:
    small, over = await open_session(api, "small"), await open_session(api, "over")
    for sid in (small, over):
        await append(api, sid, *entries(0, 3, words=5))
    await api.post(f"/v1/sessions/{over}/end", json={})

    await services.upkeeping.seal_due()

    assert (await rows(database))[:2] == (3, 1)
    assert (await api.get(f"/v1/sessions/{over}/integrity")).json()["entries"] == 3
    await services.upkeeping.seal_due()
    assert (await rows(database))[:2] == (3, 1)


async def test_what_is_sealed_is_still_known(api: httpx.AsyncClient, services: Services) -> None:
    sid = await open_session(api)
    source = {"file": "a.jsonl", "start": 0, "end": 100}
    await append(api, sid, *entries(0, 10, words=3), source=source)
    await services.upkeeping.seal(sid, whole=True)

    without = await append(api, sid, *entries(5, 10, words=3))
    overlapping = await append(api, sid, *entries(8, 10, words=3), source={**source, "start": 50, "end": 300})
    behind = await append(api, sid, *entries(0, 5, words=3), source={**source, "end": 90})

    assert [(one["appended"], one["duplicates"]) for one in (without, overlapping, behind)] == [(5, 5), (3, 7), (0, 5)]
    keys = [entry["key"] for entry in await everything(api, sid)]
    assert keys == [f"m{number}" for number in range(18)]


async def test_sealing_and_appending_at_the_same_time(api: httpx.AsyncClient, services: Services) -> None:
    sid = await open_session(api)
    await append(api, sid, *entries(0, 20, words=3))
    reads: list[list[Json]] = []

    async def appending() -> None:
        for number in range(20, 80):
            await append(api, sid, *entries(number, 1, words=3))

    async def sealing() -> None:
        for _ in range(25):
            await services.upkeeping.seal(sid, whole=True)

    async def reading() -> None:
        for _ in range(25):
            reads.append(await everything(api, sid))
            assert (await api.get(f"/v1/sessions/{sid}/integrity")).json()["verified"] is True

    await asyncio.gather(appending(), sealing(), sealing(), reading())

    whole = await everything(api, sid)
    assert [entry["key"] for entry in whole] == [f"m{number}" for number in range(80)]
    assert [entry["position"] for entry in whole] == list(range(1, 81))
    assert all(read == whole[: len(read)] for read in reads)


async def test_checkpoints_are_verified_through_blocks(
    api: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    sid = await open_session(api)
    states = []
    for first in (0, 5, 10):
        await append(api, sid, *entries(first, 5, words=3))
        made = (await api.post(f"/v1/sessions/{sid}/checkpoints", json={})).json()
        states.append((await api.get(f"/v1/checkpoints/{made['id']}")).json())
        await services.upkeeping.seal(sid, whole=True)
        clock.advance(1)

    for state in states:
        assert state["verified"] is True
        again = (await api.get(f"/v1/checkpoints/{state['checkpoint']['id']}")).json()
        assert again == state
    assert [state["checkpoint"]["position"] for state in states] == [5, 10, 15]


class Remembering(PostgresUpkeep):
    """Finds due what was due a moment ago: one session that was deleted since."""

    async def to_seal(self, fresh_bytes: int) -> list[str]:
        return ["ses_deleted", *await super().to_seal(fresh_bytes)]


async def test_a_session_deleted_meanwhile_keeps_no_other_waiting(
    api: httpx.AsyncClient, services: Services, database: Database
) -> None:
    sid = await open_session(api)
    await append(api, sid, *entries(0, 3, words=5))
    await api.post(f"/v1/sessions/{sid}/end", json={})
    upkeeping = Upkeeping(services.context, Remembering(database), services.life)

    assert await upkeeping.seal_due() == []

    assert (await rows(database))[:2] == (0, 1)


async def test_nothing_to_seal(api: httpx.AsyncClient, services: Services) -> None:
    sid = await open_session(api)

    assert await services.upkeeping.seal(sid, whole=True) == 0
