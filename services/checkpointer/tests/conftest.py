"""The checkpointer on real stores, with a clock and ids that tests control.

`HYPOTHESIS_PROFILE=thorough` looks for new counterexamples; without it the same ones are tried every time.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import structlog
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from redis.asyncio import Redis

from shim_checkpointer.api import Services
from shim_checkpointer.app import INTERNAL_SECRET, create_app
from shim_checkpointer.settings import SCHEMA, Settings
from shim_checkpointer.storage import PostgresStore
from shim_common.contracts.access import Scope
from shim_common.db.database import Database
from shim_common.db.schema import bring_up
from shim_common.embedded.account import store_account
from shim_common.kernel import secrets
from shim_common.kernel.clock import ManualClock
from shim_common.testing.servers import PostgresServer
from shim_common.web.tokens import HEADER, Caller, TokenMaker

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

structlog.configure(processors=[structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)])

_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture)
hypothesis.register_profile("quick", max_examples=40, derandomize=True, deadline=None, suppress_health_check=_SLOW)
hypothesis.register_profile("thorough", max_examples=2000, deadline=None, suppress_health_check=_SLOW)
hypothesis.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(scope="session")
def database_template(postgres_server: PostgresServer) -> str:
    """A database with this service's tables."""
    return postgres_server.make_template("checkpointer", lambda url: bring_up(url, SCHEMA, "shim_checkpointer"))


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
def services(app: FastAPI) -> Services:
    """The use cases behind the application."""
    found: Services = app.state.services
    return found


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Connections of the test's own to the database that the application uses."""
    opened = Database(database_url, SCHEMA, size=4)
    await opened.open()
    yield opened
    await opened.close()


@pytest.fixture
def store(database: Database) -> PostgresStore:
    return PostgresStore(database, lambda _events: None)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 12 MiB that belongs to the user Postgres runs as."""
    account = store_account()
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can mount a small file system")
    with tempfile.TemporaryDirectory(prefix="shim-disk-") as folder:
        Path(folder).chmod(0o711)
        disk = Path(folder) / "disk"
        disk.mkdir()
        options = f"size=12m,mode=0700,uid={account.uid},gid={account.gid}"
        if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", disk], check=False).returncode:
            pytest.skip("mounting is not allowed here")
        try:
            yield disk
        finally:
            subprocess.run(["umount", "-l", disk], check=True)


@pytest.fixture
async def api(app: FastAPI, settings: Settings, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may do everything, as the gateway would pass it on."""
    tokens = TokenMaker(secrets.read(settings.keys_dir / INTERNAL_SECRET), clock)

    async def trusted(request: httpx.Request) -> None:
        request.headers.setdefault(HEADER, tokens.make(Caller("key_test", frozenset(Scope))))

    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://checkpointer", event_hooks={"request": [trusted]}
    ) as client:
        yield client
