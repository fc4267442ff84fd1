"""Without Postgres: 503, nothing half done, and the same report goes through once it is back."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from shim_common.db.database import Database
from shim_supervisor.settings import Settings

from ..building import at, heard, incident_of, is_problem, new_watch, process, put_watch, report, send_end
from .wire import Wire

PATIENCE = 10
"""Seconds after which a test gives up."""


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder with a path short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="shim-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
async def wire(database_url: str, sockets: Path) -> AsyncIterator[Wire]:
    (folder,) = parse_qs(urlsplit(database_url).query)["host"]
    wire = Wire(sockets / ".s.PGSQL.5432", Path(folder) / ".s.PGSQL.5432")
    await wire.mend()
    yield wire
    await wire.cut()


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str, wire: Wire, sockets: Path) -> Settings:
    """The application's way to Postgres is the wire; the tests have their own."""
    through = urlsplit(database_url)._replace(query=urlencode({"host": str(sockets)})).geturl()
    return Settings(home=tmp_path / "home", database_url=through, redis_url=redis_url)


async def test_every_route_says_that_it_is_away(api: httpx.AsyncClient, wire: Wire) -> None:
    watch = await put_watch(api)
    incident = await incident_of(api, "offer")
    await wire.cut()

    for method, path, body in (
        ("PUT", "/v1/watches", new_watch()),
        ("GET", "/v1/watches", None),
        ("GET", f"/v1/watches/{watch['id']}", None),
        ("POST", f"/v1/watches/{watch['id']}/beat", {"process": process(), "seen_at": at()}),
        ("POST", f"/v1/watches/{watch['id']}/end", report()),
        ("GET", "/v1/incidents", None),
        ("GET", f"/v1/incidents/{incident['id']}", None),
        ("POST", f"/v1/incidents/{incident['id']}/restart", {}),
        ("POST", f"/v1/incidents/{incident['id']}/dismiss", None),
        ("GET", "/v1/policies", None),
        ("PUT", "/v1/policies/calm", {}),
        ("DELETE", "/v1/policies/calm", None),
    ):
        answer = await api.request(method, path, json=body)
        assert is_problem(answer, 503, "unavailable"), path
        assert int(answer.headers["retry-after"]) >= 1
    assert (await api.get("/healthz")).status_code == 200
    assert (await api.get("/readyz")).json() == {"status": "unavailable"}

    await wire.mend()
    assert (await api.get(f"/v1/incidents/{incident['id']}")).json() == incident
    assert (await api.get("/readyz")).status_code == 200


async def test_what_was_cut_off_is_not_half_done_and_goes_through_again(
    api: httpx.AsyncClient, wire: Wire, database: Database
) -> None:
    watch, sent = await put_watch(api), report("escalate")
    async with database.transaction() as connection:  # keeps the last statement of the report waiting
        await connection.execute("LOCK TABLE bus.outbox IN ACCESS EXCLUSIVE MODE")
        sending = asyncio.create_task(api.post(f"/v1/watches/{watch['id']}/end", json=sent))
        await blocked(database)
        await wire.cut()
        assert is_problem(await sending, 503, "unavailable")

    await wire.mend()
    assert (await api.get(f"/v1/watches/{watch['id']}")).json() == watch
    assert (await api.get("/v1/incidents")).json()["items"] == []
    assert await heard(database, watch["session"]) == []
    incident = await send_end(api, watch, sent)
    assert incident is not None
    assert await heard(database, watch["session"]) == [
        "process.exited",
        "incident.opened",
        "incident.escalated",
    ]


async def blocked(database: Database) -> None:
    """Wait until the application waits for the lock on the outbox after it has written the incident."""
    waiting = """SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                 WHERE NOT l.granted AND l.relation = 'bus.outbox'::regclass AND a.query LIKE 'INSERT INTO bus%')"""
    async with asyncio.timeout(PATIENCE), database.connection() as connection:
        while not await connection.fetchval(waiting):
            await asyncio.sleep(0.005)
