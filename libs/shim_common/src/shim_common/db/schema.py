"""Whether a schema is at its newest version: asked at every start, so the machinery that migrates stays away."""

from importlib.resources import files
from pathlib import Path

import asyncpg

from shim_common.db.database import mapped

_BUS = ("bus", "shim_common.bus")
"""What all services share."""


def migrations_folder(package: str) -> Path:
    """Return the migrations folder of a service's package."""
    return Path(str(files(package))) / "migrations"


async def bring_up(url: str, schema: str, package: str) -> None:
    """Run the migrations of a service and of the bus that are missing, if any are.

    Raises:
        Conflict: the data was written by a newer SHIM than this one.
        Unavailable: the database is away.
    """
    await _bring_up(url, *_BUS)
    await _bring_up(url, schema, package)


async def _bring_up(url: str, schema: str, package: str) -> None:
    if await _current(url, schema) == newest(package):
        return
    from shim_common.db.migrations import migrate  # half a second of imports, needed once a version

    with mapped():
        await migrate(url, schema, package)


def newest(package: str) -> str:
    """Return the newest revision; files are named `<revision>_<what>.py`, revisions count upwards."""
    return max(path.name.partition("_")[0] for path in migrations_folder(package).glob("versions/[0-9]*.py"))


async def _current(url: str, schema: str) -> str | None:
    with mapped():
        connection = await asyncpg.connect(url, timeout=5)
        try:
            if await connection.fetchval("SELECT to_regclass($1)", f"{schema}.alembic_version") is None:
                return None
            version: str | None = await connection.fetchval(f"SELECT version_num FROM {schema}.alembic_version")  # noqa: S608
            return version
        finally:
            await connection.close()
