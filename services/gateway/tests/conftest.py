"""What all tests of the gateway use: a clock that stands still, and a database with tables."""

from datetime import UTC, datetime

import pytest

from shim_checkpointer.settings import SCHEMA as CHECKPOINTER_SCHEMA
from shim_common.db.schema import bring_up
from shim_common.kernel.clock import ManualClock
from shim_common.testing.servers import PostgresServer
from shim_gateway.settings import SCHEMA
from shim_supervisor.settings import SCHEMA as SUPERVISOR_SCHEMA

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(scope="session")
def database_template(postgres_server: PostgresServer) -> str:
    """A database with the tables of the gateway and of the services behind it."""
    return postgres_server.make_template("gateway", make_tables)


async def make_tables(url: str) -> None:
    """Make the tables of all services."""
    await bring_up(url, SCHEMA, "shim_gateway")
    await bring_up(url, CHECKPOINTER_SCHEMA, "shim_checkpointer")
    await bring_up(url, SUPERVISOR_SCHEMA, "shim_supervisor")
