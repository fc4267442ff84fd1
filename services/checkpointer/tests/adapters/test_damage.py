"""Bytes that were changed in the store: an error that says so, never another answer."""

import asyncio
from typing import Any

import httpx
import pytest

from shim_checkpointer import jobs
from shim_checkpointer.api import Services
from shim_common.db.database import Database
from shim_common.kernel.clock import ManualClock

from ..building import CALL, append, calls, everything, new_entry, open_session, prompt, reply, result, send_hook


def flipped(body: bytes, at: int) -> bytes:
    changed = bytearray(body)
    changed[at % len(body)] ^= 0x10
    return bytes(changed)


async def damage(database: Database, table: str, column: str, at: int = -6) -> None:
    """Flip a bit in every row of a column."""
    async with database.transaction() as connection:
        for row in await connection.fetch(f"SELECT ctid, {column} AS body FROM {table} WHERE {column} IS NOT NULL"):
            await connection.execute(
                f"UPDATE {table} SET {column} = $1 WHERE ctid = $2", flipped(row["body"], at), row["ctid"]
            )


def is_integrity(answer: httpx.Response) -> bool:
    return answer.status_code == 409 and answer.json()["code"] == "integrity"


@pytest.fixture
async def sid(api: httpx.AsyncClient) -> str:
    sid = await open_session(api)
    await append(
        api, sid, new_entry("m1", prompt("Add a cart " * 20)), new_entry("m2", reply(calls("Bash", command="make")))
    )
    return sid


@pytest.fixture
async def checkpoint(api: httpx.AsyncClient, sid: str) -> str:
    return str((await api.post(f"/v1/sessions/{sid}/checkpoints", json={})).json()["id"])


async def test_no_flipped_bit_in_an_entry_makes_another_answer(
    api: httpx.AsyncClient, sid: str, database: Database
) -> None:
    whole = await everything(api, sid)
    for at in range(0, 200, 9):
        await damage(database, "entry", "body", at)
        answer = await api.get(f"/v1/sessions/{sid}/entries")
        assert is_integrity(answer) or answer.json()["items"] == whole
        await damage(database, "entry", "body", at)  # the other way round
    assert await everything(api, sid) == whole


@pytest.mark.parametrize("table", ["entry", "block"])
async def test_where_damage_is_told(
    api: httpx.AsyncClient, services: Services, sid: str, checkpoint: str, database: Database, table: str
) -> None:
    if table == "block":
        await services.upkeeping.seal(sid, whole=True)
    head = (await api.get(f"/v1/sessions/{sid}/integrity")).json()["head"]
    await damage(database, table, "body")

    assert is_integrity(await api.get(f"/v1/sessions/{sid}/entries"))
    assert is_integrity(await api.get(f"/v1/checkpoints/{checkpoint}"))
    verdict = (await api.get(f"/v1/sessions/{sid}/integrity")).json()
    assert (verdict["verified"], verdict["entries"], verdict["head"]) == (False, 2, head)
    assert "damaged" in verdict["detail"]
    appended = await append(api, sid, new_entry("m3", prompt("Go on")), source={"file": "f", "start": 0, "end": 9})
    assert appended["position"] == 3


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entry WHERE position = 1",
        "UPDATE entry SET position = 3 - position + 10; UPDATE entry SET position = position - 10",
        "UPDATE entry SET body = (SELECT body FROM entry WHERE position = 2)",
    ],
    ids=["one lost", "two swapped", "one in the place of another"],
)
async def test_a_log_that_was_tampered_with_is_not_verified(
    api: httpx.AsyncClient, sid: str, checkpoint: str, database: Database, statement: str
) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement)

    assert (await api.get(f"/v1/sessions/{sid}/integrity")).json()["verified"] is False
    assert (await api.get(f"/v1/checkpoints/{checkpoint}")).json()["verified"] is False


async def test_a_block_with_an_entry_too_few(
    api: httpx.AsyncClient, services: Services, sid: str, database: Database
) -> None:
    await services.upkeeping.seal(sid, whole=True)
    async with database.connection() as connection:
        await connection.execute("UPDATE block SET last = last + 1")

    assert is_integrity(await api.get(f"/v1/sessions/{sid}/entries"))


@pytest.mark.parametrize(("column", "at"), [("digest", -6), ("digest", 20), ("bundle", -6)])
async def test_damage_in_what_is_kept_of_a_session(
    api: httpx.AsyncClient, sid: str, checkpoint: str, database: Database, column: str, at: int
) -> None:
    await damage(database, "progress", column, at)

    for path in (f"/v1/sessions/{sid}", f"/v1/sessions/{sid}/signals", f"/v1/recovery?session={sid}"):
        assert is_integrity(await api.get(path))


@pytest.mark.parametrize("document", [b"[1]", b"not json", b'[{"pid":"x"}]'])
async def test_other_documents_than_ours(api: httpx.AsyncClient, sid: str, database: Database, document: bytes) -> None:
    async with database.connection() as connection:
        await connection.execute("UPDATE progress SET processes = $1", document)

    assert is_integrity(await api.get(f"/v1/sessions/{sid}"))


async def test_damage_in_what_a_hook_saw(api: httpx.AsyncClient, database: Database) -> None:
    await send_hook(api, "UserPromptSubmit", prompt="Add a cart " * 20)
    await damage(database, "observation", "body")

    assert is_integrity(await api.get("/v1/recovery", params={"session": "4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"}))


async def test_damage_in_a_manifest(api: httpx.AsyncClient, sid: str, database: Database) -> None:
    made = await api.post(f"/v1/sessions/{sid}/snapshots", json={"taken_at": "2026-11-20T12:00:00Z", "files": []})
    await damage(database, "snapshot", "manifest")

    assert is_integrity(await api.get(f"/v1/snapshots/{made.json()['id']}"))


async def test_a_damaged_session_keeps_no_other_from_being_sealed(
    api: httpx.AsyncClient, services: Services, sid: str, database: Database
) -> None:
    await damage(database, "entry", "body")
    other = await open_session(api, "other")
    await append(api, other, new_entry("m1", prompt("Go")))
    for one in (sid, other):
        await api.post(f"/v1/sessions/{one}/end", json={})

    (hindrance,) = await services.upkeeping.seal_due()

    assert sid in hindrance
    assert "damaged" in hindrance
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM block") == 1


async def test_a_damaged_session_keeps_no_other_from_being_found_dead(
    api: httpx.AsyncClient, services: Services, sid: str, database: Database, clock: ManualClock
) -> None:
    other = await open_session(api, "other")
    for one in (sid, other):
        await append(api, one, new_entry("m9", result("ok", CALL)))
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE progress SET digest = 'x' WHERE session_no = (SELECT no FROM session WHERE id = $1)", sid
        )
    looks = 0

    async def pause(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        clock.advance(31)
        if looks == 4:
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await jobs.watch_for_silence(services.upkeeping, pause)

    assert (await api.get(f"/v1/sessions/{other}")).json()["state"] == "interrupted"


async def test_the_risk_of_another_version_begins_afresh(api: httpx.AsyncClient, sid: str, database: Database) -> None:
    usage: dict[str, Any] = {"usage": {"input_tokens": 1000}, "message_id": "msg_1"}
    await append(api, sid, new_entry("u1", reply(**usage)))
    async with database.connection() as connection:
        await connection.execute("""UPDATE progress SET risk = '{"state": {"mood": "good"}, "report": {}}'""")

    await append(api, sid, new_entry("u2", reply(**{**usage, "message_id": "msg_2"})))

    assert (await api.get(f"/v1/sessions/{sid}/risk")).json()["context_tokens"] == 1000
