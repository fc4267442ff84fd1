import asyncio

import pytest

from shim_common.db.database import Database
from shim_common.db.migrations import differences
from shim_common.db.schema import bring_up
from shim_common.kernel.errors import Conflict
from shim_common.testing.servers import PostgresServer
from shim_supervisor.settings import SCHEMA
from shim_supervisor.tables import Table

PACKAGE = "shim_supervisor"


@pytest.fixture
def database_template(postgres_server: PostgresServer) -> str:
    """An empty database: these tests make the tables."""
    return "template1"


async def test_replicas_that_start_together_make_what_is_declared(database_url: str, database: Database) -> None:
    await asyncio.gather(*(bring_up(database_url, SCHEMA, PACKAGE) for _ in range(3)))

    assert await differences(database_url, SCHEMA, Table.metadata) == []
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT string_agg(version_num, ' ') FROM alembic_version") == "0001"
        await connection.execute("ALTER TABLE watch DROP COLUMN policy; DROP INDEX incident_state")
    assert len(await differences(database_url, SCHEMA, Table.metadata)) == 2


async def test_data_of_a_newer_version_is_refused(database_url: str, database: Database) -> None:
    await bring_up(database_url, SCHEMA, PACKAGE)
    async with database.connection() as connection:
        await connection.execute("UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(Conflict, match="install the SHIM that wrote it"):
        await bring_up(database_url, SCHEMA, PACKAGE)
