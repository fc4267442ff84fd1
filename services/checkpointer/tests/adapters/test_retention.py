"""What is not kept any longer: the oldest sessions above the size budget, contents that nothing names, old events."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from shim_checkpointer.api import Services
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.settings import Settings
from shim_checkpointer.storage import PostgresStore
from shim_checkpointer.storage.files import PostgresFiles
from shim_checkpointer.storage.store import PostgresUnit
from shim_checkpointer.storage.upkeep import PostgresUpkeep
from shim_checkpointer.usecases.filing import Filing
from shim_checkpointer.usecases.hooking import Snapshots
from shim_checkpointer.usecases.upkeep import Upkeeping
from shim_common.contracts.sessions import EndSession, NewSnapshot
from shim_common.db.database import Database
from shim_common.kernel.clock import ManualClock

from ..building import Json, append, at, new_entry, open_session, prompt

MIB = 1024 * 1024
BUDGET_GIB = 0.01
"""About 10 MiB: the smallest that may be set."""


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    parameters = {"store_budget_gib": BUDGET_GIB, "events_kept_days": 1}
    return Settings(home=tmp_path / "home", database_url=database_url, redis_url=redis_url, parameters=parameters)


async def put(api: httpx.AsyncClient, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    assert (await api.put(f"/v1/blobs/{sha256}", content=content)).status_code == 204
    return sha256


def ref(path: str, sha256: str) -> Json:
    return {"path": path, "sha256": sha256, "size": 1, "mode": 0o644}


async def snapshot(api: httpx.AsyncClient, sid: str, *hashes: str, diff: str | None = None) -> None:
    files = [ref(f"f{number}", sha256) for number, sha256 in enumerate(hashes)]
    answer = await api.post(
        f"/v1/sessions/{sid}/snapshots", json={"taken_at": at().isoformat(), "files": files, "diff": diff}
    )
    assert answer.status_code == 201, answer.text


async def with_files(api: httpx.AsyncClient, client_id: str, size: int) -> str:
    sid = await open_session(api, client_id)
    await append(api, sid, new_entry("m1", prompt(f"Work on {client_id}")))
    await snapshot(api, sid, await put(api, os.urandom(size)))
    return sid


async def kept(api: httpx.AsyncClient) -> list[str]:
    return [one["client_session_id"] for one in (await api.get("/v1/sessions")).json()["items"]]


async def stop(api: httpx.AsyncClient, sid: str, *, cut_off: bool = False) -> None:
    if cut_off:
        gone = {"process": {"pid": 7, "created": 1}, "observed_at": at().isoformat()}
        assert (await api.post(f"/v1/sessions/{sid}/exit", json=gone)).json()["state"] == "interrupted"
    else:
        await api.post(f"/v1/sessions/{sid}/end", json={})


async def test_above_the_budget_the_oldest_sessions_go_first_and_never_an_active_one(
    api: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    sessions = {}
    for name in ("cut off", "oldest", "middle", "newest", "active"):
        sessions[name] = await with_files(api, name, 4 * MIB)
    for name in ("cut off", "oldest", "middle", "newest"):
        clock.advance(60)
        await stop(api, sessions[name], cut_off=name == "cut off")
    clock.advance(7200)

    gone = await services.upkeeping.clean_up()

    assert await kept(api) == ["active", "cut off"]
    over = [what for what in gone if "over the size budget" in what]
    assert [what.split()[1] for what in over] == ["oldest", "middle", "newest"]
    assert (await api.get("/v1/sessions/oldest")).status_code == 404
    assert not any("over the size budget" in what for what in await services.upkeeping.clean_up())


async def test_active_sessions_stay_however_large(
    api: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    await with_files(api, "a", 8 * MIB)
    await with_files(api, "b", 8 * MIB)
    clock.advance(7200)

    assert await services.upkeeping.clean_up() == []
    assert await kept(api) == ["b", "a"]


async def test_room_that_deleted_rows_took_is_not_counted(
    api: httpx.AsyncClient, services: Services, database: Database, clock: ManualClock
) -> None:
    ended = await with_files(api, "ended", MIB)
    await stop(api, ended)
    async with database.connection() as connection:
        await connection.execute(
            """INSERT INTO observation (session_no, at, kind, body)
               SELECT 0, now(), 'x',
                 (SELECT string_agg(sha256(random()::text::bytea), '') FROM generate_series(1, 40), (SELECT n) t)
               FROM generate_series(1, 12000) n"""
        )
        assert await connection.fetchval("SELECT pg_total_relation_size('observation')") > 11 * MIB
        await connection.execute("DELETE FROM observation WHERE kind = 'x'")
    clock.advance(7200)

    await services.upkeeping.clean_up()

    assert await kept(api) == ["ended"]


async def test_contents_that_nothing_names_are_dropped_after_an_hour(
    api: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    sid = await open_session(api)
    used, diff, unused = [await put(api, word * 1000) for word in (b"used", b"diff", b"unused")]
    await snapshot(api, sid, used, diff=diff)

    async def status(sha256: str) -> int:
        return (await api.get(f"/v1/blobs/{sha256}")).status_code

    assert await services.upkeeping.clean_up() == []
    clock.advance(3601)
    assert await services.upkeeping.clean_up() == ["1 unused contents, 6000 bytes"]
    assert [await status(one) for one in (used, diff, unused)] == [200, 200, 404]

    await api.delete(f"/v1/sessions/{sid}")
    await services.upkeeping.clean_up()
    assert [await status(one) for one in (used, diff)] == [404, 404]


async def test_a_content_that_is_sent_again_gets_another_hour(
    api: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    await put(api, b"again")
    clock.advance(3601)
    sha256 = await put(api, b"again")

    await services.upkeeping.clean_up()

    assert (await api.get(f"/v1/blobs/{sha256}")).content == b"again"


class Pausing(PostgresStore):
    """Stands still after it has looked which contents are there."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, lambda _events: None)
        self.has_looked, self.go_on = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[PostgresUnit]:
        store = self

        class Files(PostgresFiles):
            async def missing(self, hashes: Sequence[bytes]) -> list[bytes]:
                found = await super().missing(hashes)
                store.has_looked.set()
                await store.go_on.wait()
                return found

        async with self._database.transaction() as connection:
            unit = PostgresUnit(connection)
            unit.files = Files(connection)
            yield unit


async def wait_for_lock(database: Database) -> None:
    async with database.connection() as connection:
        while not await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)


async def test_no_content_goes_while_a_snapshot_is_about_to_name_it(
    api: httpx.AsyncClient, services: Services, database: Database, clock: ManualClock
) -> None:
    content = b"about to be named"
    sid, sha256 = await open_session(api), await put(api, content)
    clock.advance(3601)
    store = Pausing(database)
    filing = Filing(replace(services.context, store=store), Snapshots())
    command = NewSnapshot.model_validate({"taken_at": at().isoformat(), "files": [ref("a", sha256)]})

    async with asyncio.timeout(20):
        adding = asyncio.create_task(filing.add(sid, command, None))
        await store.has_looked.wait()
        cleaning, waiting = (
            asyncio.create_task(services.upkeeping.clean_up()),
            asyncio.create_task(wait_for_lock(database)),
        )
        await asyncio.wait({cleaning, waiting}, return_when=asyncio.FIRST_COMPLETED)
        store.go_on.set()
        await adding
        assert await cleaning == []
        await waiting

    assert (await api.get(f"/v1/blobs/{sha256}")).content == content


class Reviving(PostgresUpkeep):
    """Names a session as over that was begun again just after."""

    async def oldest_over(self) -> Kept | None:
        found = await super().oldest_over()
        if found is not None:
            async with self._database.connection() as connection:
                await connection.execute("UPDATE session SET state = 'active', ended_at = NULL WHERE id = $1", found.id)
        return found


async def test_a_session_that_goes_on_at_the_last_moment_is_spared(
    api: httpx.AsyncClient, services: Services, database: Database, clock: ManualClock
) -> None:
    sid = await with_files(api, "back", 11 * MIB)
    await stop(api, sid)
    clock.advance(7200)
    upkeeping = Upkeeping(services.context, Reviving(database), services.life)

    await upkeeping.clean_up()

    assert await kept(api) == ["back"]


async def test_old_events_and_answers_are_forgotten(
    api: httpx.AsyncClient, services: Services, clock: ManualClock, database: Database
) -> None:
    command = {"client": "x", "client_session_id": "1", "project": "/p"}
    await api.post("/v1/sessions", json=command, headers={"idempotency-key": "k1"})
    async with asyncio.timeout(20):
        while not (await api.get("/v1/events")).json()["items"]:
            await asyncio.sleep(0.01)

    assert await services.upkeeping.clean_up() == []
    clock.advance(86_401)
    assert await services.upkeeping.clean_up() == ["1 old events", "1 kept answers"]

    assert (await api.get("/v1/events")).json()["items"] == []
    again = await api.post("/v1/sessions", json=command, headers={"idempotency-key": "k1"})
    assert again.status_code == 200


async def test_ending_is_no_reason_to_go(api: httpx.AsyncClient, services: Services) -> None:
    await with_files(api, "small", 1000)
    await services.life.end("small", EndSession(), "key_test")

    await services.upkeeping.clean_up()

    assert await kept(api) == ["small"]
