"""The plugin's fixtures: real, fresh for each test, gone with the test process however it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest
from redis.asyncio import Redis

from shim_common.embedded.identity import ProcessIdentity
from shim_common.testing.private_home import FOLDERS, enter_private_home
from shim_common.testing.servers import PostgresServer

DIES_WITH_STORES = """
import os, signal, sys
from shim_common.testing.servers import kept_store
with kept_store("postgres") as postgres, kept_store("valkey") as valkey:
    print(postgres.pid, valkey.pid, postgres.url.rpartition("=")[2], valkey.url.removeprefix("unix://"), flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_an_empty_database(database_url: str, turn: int) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("CREATE TABLE only_here (turn int)")
    await connection.close()


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_an_empty_redis(redis_url: str, turn: int) -> None:
    async with Redis.from_url(redis_url) as client:
        assert await client.dbsize() == 0
        await client.xadd("stream", {"turn": turn})


def test_a_template_is_filled_once_and_copied(postgres_server: PostgresServer) -> None:
    filled = []

    async def fill(url: str) -> None:
        filled.append(url)
        connection = await asyncpg.connect(url)
        await connection.execute("CREATE TABLE ours (id int)")
        await connection.close()

    for _ in range(2):
        name = postgres_server.make_template("plugin_test_template", fill)
        url = postgres_server.create_database(name)
        postgres_server.create_database(name)
        assert "/plugin_test_template?" not in url
    assert len(filled) == 1


def test_a_killed_test_process_leaves_nothing() -> None:
    tests = subprocess.Popen(
        [sys.executable, "-c", DIES_WITH_STORES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert tests.stdout is not None
    postgres, valkey, run_folder, socket = tests.stdout.readline().split()
    stores = [ProcessIdentity.of(int(pid)) for pid in (postgres, valkey)]
    keepers = [ProcessIdentity.of(psutil.Process(store.pid).ppid()) for store in stores]

    tests.send_signal(signal.SIGKILL)
    tests.communicate()

    assert all(process.wait(10) for process in (*keepers, *stores))
    assert not Path(run_folder).exists()
    assert not Path(socket).parent.exists()


def test_the_home_is_private() -> None:
    for name in FOLDERS:
        assert Path(os.environ[name]).name
        assert "shim-home-" in os.environ[name]


def test_variables_that_lead_to_somebody_else_are_dropped() -> None:
    environ = {"DATABASE_URL": "postgresql://mine", "PGHOST": "h", "SHIM_URL": "u", "CLAUDE_PID": "1", "PATH": "p"}
    with enter_private_home(environ):
        assert set(environ) == {"PATH", *FOLDERS}
