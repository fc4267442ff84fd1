"""One application for all tests of a module, where each keeps to sessions of its own."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from shim_common.contracts.access import Scope
from shim_common.db.database import Database
from shim_common.kernel import secrets
from shim_common.kernel.clock import ManualClock
from shim_common.testing.servers import PostgresServer, ValkeyServer
from shim_common.web.tokens import HEADER, Caller, TokenMaker
from shim_supervisor.app import INTERNAL_SECRET, create_app
from shim_supervisor.settings import SCHEMA, Settings

from ..building import START


@dataclass(frozen=True)
class Shared:
    """The application, its clock, and a client that asks without a token."""

    app: FastAPI
    clock: ManualClock
    anonymous: httpx.AsyncClient
    tokens: TokenMaker

    def headers(self, *scopes: Scope, key: str = "key_test") -> dict[str, str]:
        """What the gateway adds for a caller with these scopes."""
        return {HEADER: self.tokens.make(Caller(key, frozenset(scopes)))}


@pytest.fixture(scope="module")
def shared_settings(
    postgres_server: PostgresServer,
    valkey_server: ValkeyServer,
    database_template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Settings]:
    url = postgres_server.create_database(database_template)
    home = tmp_path_factory.mktemp("home")
    yield Settings(home=home, database_url=url, redis_url=valkey_server.fresh_database())
    postgres_server.drop_database(url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_database(shared_settings: Settings) -> AsyncIterator[Database]:
    """Connections of the tests' own to the database that the application uses."""
    opened = Database(shared_settings.database_url, SCHEMA, size=2)
    await opened.open()
    yield opened
    await opened.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(shared_settings: Settings) -> AsyncIterator[Shared]:
    settings, clock = shared_settings, ManualClock(START)
    app = create_app(settings, clock=clock)
    transport = httpx.ASGITransport(app)
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        httpx.AsyncClient(transport=transport, base_url="http://supervisor") as client,
    ):
        tokens = TokenMaker(secrets.read(settings.keys_dir / INTERNAL_SECRET), clock)
        yield Shared(app, clock, client, tokens)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared_api(shared: Shared) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may do everything."""

    async def trusted(request: httpx.Request) -> None:
        for name, value in shared.headers(*Scope).items():
            request.headers.setdefault(name, value)

    transport = httpx.ASGITransport(shared.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://supervisor", event_hooks={"request": [trusted]}
    ) as client:
        yield client
