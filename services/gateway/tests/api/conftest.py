"""The gateway on real stores, served for real, with a checkpointer and an echo behind it.

What is costly to start is started once a module: its tests share one event loop with it.
"""

import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from shim_checkpointer.app import create_app as create_checkpointer
from shim_checkpointer.settings import Settings as CheckpointerSettings
from shim_common.kernel.clock import ManualClock
from shim_common.testing.servers import PostgresServer, ValkeyServer
from shim_gateway.settings import Settings
from shim_supervisor.app import create_app as create_supervisor
from shim_supervisor.settings import Settings as SupervisorSettings

from .echo import Echo
from .harness import Gateway, serving, serving_gateway

BODY_LIMIT = 1024 * 1024


@pytest.fixture(scope="module")
def settings(
    postgres_server: PostgresServer, valkey_server: ValkeyServer, database_template: str
) -> Iterator[Settings]:
    """Settings of the gateway that a module shares."""
    with fresh_settings(postgres_server, valkey_server, database_template) as settings:
        yield settings


@pytest.fixture
def own_settings(
    postgres_server: PostgresServer, valkey_server: ValkeyServer, database_template: str
) -> Iterator[Settings]:
    """Settings for a test that has a gateway to itself."""
    with fresh_settings(postgres_server, valkey_server, database_template) as settings:
        yield settings


@pytest.fixture
def sockets() -> Iterator[Path]:
    """A folder whose path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="shim-gw-") as folder:
        yield Path(folder)


@contextmanager
def fresh_settings(postgres: PostgresServer, valkey: ValkeyServer, template: str) -> Iterator[Settings]:
    """Settings with stores and a data folder of their own, in a folder whose path is short enough for sockets."""
    url = postgres.create_database(template)
    with tempfile.TemporaryDirectory(prefix="shim-gw-") as folder:
        yield Settings(
            home=Path(folder) / "home",
            database_url=url,
            redis_url=valkey.fresh_database(),
            checkpointer_url=f"unix://{folder}/checkpointer.sock",
            supervisor_url=f"unix://{folder}/supervisor.sock",
            mcp_url=f"unix://{folder}/mcp.sock",
            body_limit=BODY_LIMIT,
        )
    postgres.drop_database(url)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(settings: Settings, clock: ManualClock, shared_echo: Echo) -> AsyncIterator[Gateway]:
    """A gateway with the services behind it and an echo in the place of MCP."""
    stores = {"home": settings.home, "database_url": settings.database_url, "redis_url": settings.redis_url}
    async with (
        serving(create_checkpointer(CheckpointerSettings(**stores), clock=clock), settings.checkpointer_url),
        serving(create_supervisor(SupervisorSettings(**stores), clock=clock), settings.supervisor_url),
        serving(shared_echo, settings.mcp_url),
        serving_gateway(settings, clock) as gateway,
    ):
        yield gateway


@pytest.fixture(scope="module")
def shared_echo() -> Echo:
    return Echo()


@pytest.fixture
def echo(shared_echo: Echo) -> Echo:
    """The echo behind `/mcp/`, with nothing in its memory."""
    shared_echo.forget()
    return shared_echo


@pytest_asyncio.fixture(loop_scope="module")
async def admin(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client that may do everything."""
    async with gateway.client(gateway.key("admin")) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def stranger(gateway: Gateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    async with gateway.client() as client:
        yield client
