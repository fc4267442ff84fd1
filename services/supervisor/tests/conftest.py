"""The supervisor on real stores, with a clock that tests control."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import structlog
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from redis.asyncio import Redis

from shim_common.contracts.access import Scope
from shim_common.db.database import Database
from shim_common.db.schema import bring_up
from shim_common.kernel import secrets
from shim_common.kernel.clock import ManualClock
from shim_common.testing.servers import PostgresServer
from shim_common.web.tokens import HEADER, Caller, TokenMaker
from shim_supervisor.app import INTERNAL_SECRET, create_app
from shim_supervisor.settings import SCHEMA, Settings

from .building import START

structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])


@pytest.fixture(scope="session")
def database_template(postgres_server: PostgresServer) -> str:
    """A database with this service's tables."""
    return postgres_server.make_template("supervisor", lambda url: bring_up(url, SCHEMA, "shim_supervisor"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def settings(tmp_path: Path, database_url: str, redis_url: str) -> Settings:
    return Settings(home=tmp_path / "home", database_url=database_url, redis_url=redis_url)


@pytest.fixture
async def app(settings: Settings, clock: ManualClock) -> AsyncIterator[FastAPI]:
    application = create_app(settings, clock=clock)
    async with LifespanManager(application, startup_timeout=60, shutdown_timeout=60):
        yield application


@pytest.fixture
async def api(app: FastAPI, settings: Settings, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may do everything, as the gateway would pass it on."""
    tokens = TokenMaker(secrets.read(settings.keys_dir / INTERNAL_SECRET), clock)

    async def trusted(request: httpx.Request) -> None:
        request.headers.setdefault(HEADER, tokens.make(Caller("key_test", frozenset(Scope))))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://supervisor", event_hooks={"request": [trusted]}
    ) as client:
        yield client


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Connections of the test's own to the database that the application uses."""
    opened = Database(database_url, SCHEMA, size=4)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client
