"""Brings a schema to its newest version with Alembic: a folder and a version table for each service."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text
from sqlalchemy.engine import AdaptedConnection, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from shim_common.db.schema import migrations_folder
from shim_common.kernel.errors import Conflict

_LOCK = 0x5348494D
"""Advisory lock: replicas that start together migrate one after the other."""


async def migrate(url: str, schema: str, package: str) -> None:
    """Run what is missing.

    Raises:
        Conflict: the data was written by a newer SHIM than this one.
    """
    engine = make_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate, schema, migrations_folder(package))
    finally:
        await engine.dispose()


def make_engine(url: str) -> AsyncEngine:
    """Return an engine for the same address that asyncpg takes."""
    return create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))


def _migrate(connection: Connection, schema: str, scripts: Path) -> None:
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{schema}"'))
    connection.execute(text(f'SET LOCAL search_path TO "{schema}"'))
    config = _config(connection, schema, scripts)
    directory = ScriptDirectory.from_config(config)
    context = MigrationContext.configure(connection, opts={"version_table_schema": schema})
    current, head = context.get_current_revision(), directory.get_current_head()
    if current == head:
        return
    known = {script.revision for script in directory.walk_revisions()}
    if current is not None and current not in known:
        raise Conflict(
            f"the data of {schema} is at version {current}, which this SHIM does not know; "
            "install the SHIM that wrote it, or a newer one",
            code="data_newer",
        )
    command.upgrade(config, "head")


def _config(connection: Connection, schema: str, scripts: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config


def run_env(metadata: MetaData | None = None) -> None:
    """What every service's `migrations/env.py` calls."""
    from alembic import context

    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table_schema=context.config.attributes["schema"],
        transactional_ddl=False,
    )
    context.run_migrations()


def run_script(statements: str) -> None:
    """Run several SQL statements inside a migration; the driver takes only one at a time otherwise."""
    from alembic import op

    adapted = op.get_bind().connection.dbapi_connection
    if isinstance(adapted, AdaptedConnection):
        adapted.run_async(lambda connection: connection.execute(statements))


async def differences(url: str, schema: str, metadata: MetaData) -> list[object]:
    """Return how the tables differ from their declaration; empty when migrations and declaration agree."""
    from alembic.autogenerate import compare_metadata

    def compare(connection: Connection) -> list[object]:
        connection.execute(text(f'SET search_path TO "{schema}"'))
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _parents: kind != "table" or name != "alembic_version"},
        )
        return list(compare_metadata(context, metadata))

    engine = make_engine(url)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(compare)
    finally:
        await asyncio.shield(engine.dispose())
