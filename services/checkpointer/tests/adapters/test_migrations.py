import asyncio

import pytest

from shim_checkpointer.settings import SCHEMA
from shim_checkpointer.tables import Table
from shim_common.bus.tables import Table as BusTable
from shim_common.db import outbox
from shim_common.db.database import Database
from shim_common.db.migrations import differences, migrate
from shim_common.db.schema import bring_up
from shim_common.kernel.errors import Conflict
from shim_common.testing.servers import PostgresServer

PACKAGE = "shim_checkpointer"


@pytest.fixture
def database_template(postgres_server: PostgresServer) -> str:
    """An empty database: these tests make the tables."""
    return "template1"


async def version(url: str) -> str:
    database = Database(url, SCHEMA, size=1)
    await database.open()
    try:
        async with database.connection() as connection:
            return str(await connection.fetchval("SELECT string_agg(version_num, ' ') FROM alembic_version"))
    finally:
        await database.close()


async def test_migrations_make_what_is_declared(database_url: str) -> None:
    await migrate(database_url, SCHEMA, PACKAGE)

    assert await differences(database_url, SCHEMA, Table.metadata) == []


async def test_the_bus_has_what_is_declared(database_url: str) -> None:
    await migrate(database_url, outbox.SCHEMA, "shim_common.bus")

    assert await differences(database_url, outbox.SCHEMA, BusTable.metadata) == []


async def test_a_difference_would_be_noticed(database_url: str, database: Database) -> None:
    await migrate(database_url, SCHEMA, PACKAGE)
    async with database.connection() as connection:
        await connection.execute("ALTER TABLE session DROP COLUMN model; DROP INDEX session_project")

    assert len(await differences(database_url, SCHEMA, Table.metadata)) == 2


async def test_migrating_again_changes_nothing(database_url: str) -> None:
    await migrate(database_url, SCHEMA, PACKAGE)
    before = await version(database_url)

    await migrate(database_url, SCHEMA, PACKAGE)
    await bring_up(database_url, SCHEMA, PACKAGE)

    assert await version(database_url) == before


async def test_replicas_that_start_together_migrate_once(database_url: str) -> None:
    await asyncio.gather(*(bring_up(database_url, SCHEMA, PACKAGE) for _ in range(3)))

    assert await version(database_url) == "0002"
    assert await differences(database_url, SCHEMA, Table.metadata) == []


async def test_data_of_a_newer_version_is_refused(database_url: str, database: Database) -> None:
    await migrate(database_url, SCHEMA, PACKAGE)
    async with database.connection() as connection:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(Conflict, match="install the SHIM that wrote it") as refused:
        await bring_up(database_url, SCHEMA, PACKAGE)

    assert refused.value.problem_code == "data_newer"
    assert await version(database_url) == "9999"
