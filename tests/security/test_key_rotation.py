"""Check 16: file contents stay readable when their key is turned, and unreadable without it."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import httpx
import pytest
from asgi_lifespan import LifespanManager

from shim_checkpointer.app import INTERNAL_SECRET, create_app
from shim_checkpointer.settings import Settings
from shim_checkpointer.vault import FileVault
from shim_common.contracts.access import Scope
from shim_common.kernel import secrets
from shim_common.kernel.clock import SystemClock
from shim_common.testing.servers import PostgresServer, ValkeyServer
from shim_common.web.tokens import HEADER, Caller, TokenMaker

OLD, NEW = b"an old content", b"a new content"


@pytest.fixture
def settings(tmp_path: Path, postgres_server: PostgresServer, valkey_server: ValkeyServer) -> Settings:
    url = postgres_server.create_database()
    return Settings(home=tmp_path / "home", database_url=url, redis_url=valkey_server.fresh_database())


@asynccontextmanager
async def checkpointer(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A checkpointer that has just started, and a client of it."""
    app = create_app(settings)
    tokens = TokenMaker(secrets.read(settings.keys_dir / INTERNAL_SECRET), SystemClock())
    headers = {HEADER: tokens.make(Caller("key_test", frozenset(Scope)))}
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", headers=headers) as client,
    ):
        yield client


def path_of(content: bytes) -> str:
    return f"/v1/blobs/{hashlib.sha256(content).hexdigest()}"


async def put(client: httpx.AsyncClient, content: bytes) -> None:
    headers = {"content-type": "application/octet-stream"}
    assert (await client.put(path_of(content), content=content, headers=headers)).status_code == 204


async def test_16_contents_outlive_the_turning_of_their_key(settings: Settings) -> None:
    async with checkpointer(settings) as client:
        await put(client, OLD)
    assert FileVault(settings.keys_dir / "files").rotate() == 2
    async with checkpointer(settings) as client:
        await put(client, NEW)
        assert [(await client.get(path_of(content))).content for content in (OLD, NEW)] == [OLD, NEW]
    assert await stored(settings, "key_no") == {OLD: 1, NEW: 2}


async def test_16_a_content_without_its_key_is_not_given_out(settings: Settings) -> None:
    async with checkpointer(settings) as client:
        await put(client, OLD)
    FileVault(settings.keys_dir / "files").rotate()
    (settings.keys_dir / "files" / "1.key").write_bytes(bytes(range(32)))
    async with checkpointer(settings) as client:
        lost = await client.get(path_of(OLD))
        assert (lost.status_code, lost.json()["code"]) == (409, "integrity")


async def test_16_one_content_cannot_be_put_in_the_place_of_another(settings: Settings) -> None:
    async with checkpointer(settings) as client:
        await put(client, OLD)
        await put(client, NEW)
        connection = await asyncpg.connect(settings.database_url)
        await connection.execute(
            "UPDATE checkpointer.blob SET body = (SELECT body FROM checkpointer.blob WHERE sha256 = $1)"
            " WHERE sha256 = $2",
            hashlib.sha256(NEW).digest(),
            hashlib.sha256(OLD).digest(),
        )
        await connection.close()
        swapped = await client.get(path_of(OLD))
        assert (swapped.status_code, swapped.json()["code"]) == (409, "integrity")


async def stored(settings: Settings, column: str) -> dict[bytes, object]:
    """Return a column of the table of contents, by content."""
    connection = await asyncpg.connect(settings.database_url)
    try:
        rows = await connection.fetch(f"SELECT sha256, {column} FROM checkpointer.blob")
    finally:
        await connection.close()
    by_hash = {row["sha256"]: row[column] for row in rows}
    return {content: by_hash[hashlib.sha256(content).digest()] for content in (OLD, NEW)}
