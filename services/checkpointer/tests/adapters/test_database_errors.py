"""Errors of the driver, as they become SHIM's."""

import os
import uuid
from pathlib import Path

import asyncpg
import pytest

from shim_common.db.database import Database, mapped
from shim_common.kernel.errors import ShimError, StorageFull, Unavailable, Unprocessable


@pytest.mark.parametrize(
    ("raised", "becomes", "code", "retry_after"),
    [
        (asyncpg.DiskFullError("could not extend file"), StorageFull, "storage_full", None),
        (asyncpg.OutOfMemoryError("out of memory"), StorageFull, "storage_full", None),
        (asyncpg.ConnectionDoesNotExistError("gone"), Unavailable, "unavailable", 1),
        (asyncpg.CannotConnectNowError("starting up"), Unavailable, "unavailable", 1),
        (asyncpg.AdminShutdownError("shutdown"), Unavailable, "unavailable", 1),
        (asyncpg.CrashShutdownError("crash"), Unavailable, "unavailable", 1),
        (asyncpg.TooManyConnectionsError("too many"), Unavailable, "unavailable", 1),
        (asyncpg.QueryCanceledError("timeout"), Unavailable, "unavailable", 1),
        (asyncpg.InterfaceError("pool is closed"), Unavailable, "unavailable", 1),
        (ConnectionRefusedError(), Unavailable, "unavailable", 1),
        (FileNotFoundError("no socket"), Unavailable, "unavailable", 1),
        (TimeoutError(), Unavailable, "unavailable", 1),
        (asyncpg.NumericValueOutOfRangeError("too big"), Unprocessable, "not_storable", None),
        (asyncpg.ProgramLimitExceededError("index row size"), Unprocessable, "not_storable", None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_errors_say_what_to_do(
    raised: Exception, becomes: type[ShimError], code: str, retry_after: float | None
) -> None:
    with pytest.raises(becomes) as error, mapped():
        raise raised
    assert (error.value.problem_code, error.value.retry_after) == (code, retry_after)
    assert error.value.__cause__ is raised


@pytest.mark.parametrize("raised", [asyncpg.UniqueViolationError("twice"), KeyError("x"), StorageFull("full")])
def test_what_is_a_bug_stays_one(raised: Exception) -> None:
    with pytest.raises(type(raised)) as error, mapped():
        raise raised
    assert error.value is raised


@pytest.mark.parametrize(
    ("statement", "value"),
    [
        ("SELECT $1::int", 2**31),
        ("SELECT $1::bigint", 2**63),
        ("SELECT $1::text", "a\0b"),
        ("INSERT INTO source VALUES (1, $1, 1)", "".join(uuid.uuid4().hex for _ in range(400))),
    ],
    ids=["int", "bigint", "NUL", "longer than an index takes"],
)
async def test_values_that_no_column_takes(database: Database, statement: str, value: object) -> None:
    with pytest.raises(Unprocessable):
        async with database.transaction() as connection:
            await connection.execute(statement, value)
    assert await database.is_ready()


async def test_a_full_disk_is_a_clear_error_and_nothing_is_written(database: Database, small_disk: Path) -> None:
    name = f"small_{uuid.uuid4().hex[:8]}"
    async with database.connection() as connection:
        await connection.execute(f"CREATE TABLESPACE {name} LOCATION '{small_disk}'")
        await connection.execute(f"ALTER TABLE entry SET TABLESPACE {name}")
    insert = "INSERT INTO entry SELECT 1, n, gen_random_uuid(), $1 FROM generate_series($2::int, $3::int) n"

    async with database.transaction() as connection:
        await connection.execute(insert, b"x" * 1000, 1, 10)
    with pytest.raises(StorageFull, match="Free disk space"):
        async with database.transaction() as connection:
            await connection.execute(insert, os.urandom(2000), 11, 20_000)

    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM entry") == 10
        await connection.execute("ALTER TABLE entry SET TABLESPACE pg_default")
        await connection.execute(f"DROP TABLESPACE {name}")
