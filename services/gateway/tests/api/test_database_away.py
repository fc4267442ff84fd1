"""Without Postgres, what needs it says so, and known keys go on opening what does not."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest_asyncio

from shim_common.kernel.clock import ManualClock
from shim_gateway.settings import Settings
from shim_gateway.usecases.keys import REMEMBERED

from .echo import Echo
from .harness import PATIENCE, Gateway, serving, serving_gateway
from .wire import Wire


@dataclass(frozen=True)
class Outage:
    """A gateway whose way to Postgres can be cut, with an echo behind it."""

    gateway: Gateway
    wire: Wire
    clock: ManualClock

    async def begin(self) -> None:
        await self.wire.cut()
        self.clock.advance(REMEMBERED + 1)


@pytest_asyncio.fixture
async def outage(own_settings: Settings, clock: ManualClock, sockets: Path) -> AsyncIterator[Outage]:
    url = urlsplit(own_settings.database_url)
    (folder,) = parse_qs(url.query)["host"]
    wire = Wire(sockets / ".s.PGSQL.5432", Path(folder) / ".s.PGSQL.5432")
    await wire.mend()
    through_wire = url._replace(query=urlencode({"host": str(sockets)})).geturl()
    settings = own_settings.model_copy(update={"database_url": through_wire})
    async with (
        serving(Echo(), settings.checkpointer_url),
        serving(Echo(), settings.supervisor_url),
        serving(Echo(), settings.mcp_url),
        serving_gateway(settings, clock) as gateway,
    ):
        yield Outage(gateway, wire, clock)
    await wire.cut()


async def test_known_keys_keep_their_word_and_unknown_ones_wait(outage: Outage) -> None:
    gateway = outage.gateway
    async with gateway.client(gateway.key("admin")) as known, gateway.client(gateway.key("agent")) as unknown:
        assert (await known.get("/v1/things/echo")).status_code == 200
        await outage.begin()
        for _ in range(3):
            assert (await known.get("/v1/things/echo")).status_code == 200
            outage.clock.advance(REMEMBERED + 1)
        await is_away(unknown, "/v1/things/echo")
        await outage.wire.mend()
        await comes_back(unknown, "/v1/things/echo")


async def test_what_needs_the_database_says_that_it_is_away(outage: Outage) -> None:
    async with outage.gateway.client(outage.gateway.key("admin")) as admin:
        assert (await admin.get("/readyz")).status_code == 200
        await outage.begin()
        for path in ("/v1/keys", "/v1/audit"):
            await is_away(admin, path)
        assert (await admin.get("/healthz")).status_code == 200
        assert (await admin.get("/readyz")).json() == {"status": "unavailable"}
        made = await admin.post("/v1/keys", json={"name": "x", "scopes": ["read"]})
        assert (made.status_code, made.json()["code"]) == (503, "unavailable")
        await outage.wire.mend()
        await comes_back(admin, "/v1/keys")
        assert (await admin.get("/readyz")).status_code == 200


async def test_failures_of_the_database_are_no_failures_of_the_caller(outage: Outage) -> None:
    async with outage.gateway.client(outage.gateway.key("agent")) as agent:
        await outage.begin()
        for _ in range(50):
            await is_away(agent, "/v1/things/echo")
        await outage.wire.mend()
        await comes_back(agent, "/v1/things/echo")


async def is_away(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


async def comes_back(client: httpx.AsyncClient, path: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while (await client.get(path)).status_code != 200:
            await asyncio.sleep(0.01)
