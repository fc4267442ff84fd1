import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import psutil
import pytest

from shim_common.embedded.account import Account
from shim_common.embedded.cluster import USER, Cluster
from shim_common.embedded.errors import StartError, StoreError
from shim_common.embedded.identity import ProcessIdentity
from shim_common.embedded.postgres import PASSWORD_FILE, PORT, Postgres, embedded_postgres
from shim_common.embedded.program import running


@asynccontextmanager
async def served(postgres: Postgres, log: Path | None = None) -> AsyncIterator[asyncio.subprocess.Process]:
    with (log or Path(os.devnull)).open("ab") as output:
        async with running(postgres.program(), output) as process:
            yield process


async def rows(postgres: Postgres) -> int:
    connection = await asyncpg.connect(postgres.url())
    try:
        return int(await connection.fetchval("SELECT count(*) FROM kept"))
    finally:
        await connection.close()


def pids_of(process: asyncio.subprocess.Process) -> list[int]:
    """The server's workers, then the server."""
    return [*(child.pid for child in psutil.Process(process.pid).children(recursive=True)), process.pid]


def names(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


@pytest.fixture
def durable(postgres: Postgres) -> Postgres:
    """The server as it is outside of tests."""
    return replace(postgres, cluster=replace(postgres.cluster, durable=True))


async def test_what_was_committed_survives_a_kill_of_everything(durable: Postgres) -> None:
    async with served(durable) as process:
        connection = await asyncpg.connect(durable.url())
        await connection.execute("CREATE TABLE kept (number int)")
        for number in range(50):
            await connection.execute("INSERT INTO kept VALUES ($1)", number)
        for identity in [ProcessIdentity.of(pid) for pid in pids_of(process)]:
            identity.send(signal.SIGKILL)
        await process.wait()
        connection.terminate()
    assert (durable.cluster.data / "postmaster.pid").exists()
    async with served(durable) as process:
        assert await rows(durable) == 50
    assert process.returncode == 0
    assert not (durable.cluster.data / "postmaster.pid").exists()


async def test_it_runs_safe_private_and_without_a_port(durable: Postgres, home: Path, account: Account) -> None:
    async with served(durable) as process:
        connection = await asyncpg.connect(durable.url())
        settings = {row["name"]: row["setting"] for row in await connection.fetch("SELECT * FROM pg_settings")}
        await connection.close()
        assert psutil.Process(process.pid).uids().real == account.uid != 0
        assert psutil.Process(process.pid).net_connections("tcp") == []
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(replace(durable, password="wrong").url())
    for name in ("fsync", "full_page_writes", "synchronous_commit", "autovacuum"):
        assert settings[name] == "on"
    assert settings["jit"] == "off"
    assert settings["max_connections"] == "60"
    assert settings["shared_buffers"] == "8192"  # pages of 8 kB
    assert settings["password_encryption"] == "scram-sha-256"
    password_file = home / PASSWORD_FILE
    assert stat.S_IMODE(password_file.stat().st_mode) == 0o600
    assert password_file.read_text() == durable.password
    hba = (durable.cluster.data / "pg_hba.conf").read_text().splitlines()
    methods = {line.split()[-1] for line in hba if line and not line.startswith("#")}
    assert methods == {"scram-sha-256"}


async def test_statements_and_rows_stay_out_of_the_log(postgres: Postgres, home: Path) -> None:
    log = home / "log"
    async with served(postgres, log):
        connection = await asyncpg.connect(postgres.url())
        await connection.execute("CREATE TABLE unique_words (word text PRIMARY KEY)")
        for _ in range(2):
            try:
                await connection.execute("INSERT INTO unique_words VALUES ('confidential')")
            except asyncpg.UniqueViolationError:
                continue
        await connection.close()
    assert "unique_words" in log.read_text()
    assert "confidential" not in log.read_text()


@pytest.fixture
def other_process(account: Account) -> Iterator[int]:
    """A process of the user Postgres runs as that has nothing to do with it."""
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=account.uid, cwd="/") as process:
        yield process.pid


async def test_a_lock_whose_pid_is_in_use_again_is_stale(postgres: Postgres, other_process: int) -> None:
    async with served(postgres) as process:
        process.send_signal(signal.SIGKILL)
        await process.wait()
    for lock in (postgres.cluster.data / "postmaster.pid", postgres.run_folder / f".s.PGSQL.{PORT}.lock"):
        lines = lock.read_text().splitlines(keepends=True)
        lock.write_text("".join([f"{other_process}\n", *lines[1:]]))
    async with served(postgres):
        pass
    assert psutil.pid_exists(other_process)


async def test_a_torn_lock_is_stale(postgres: Postgres) -> None:
    (postgres.cluster.data / "postmaster.pid").write_text("")
    async with served(postgres):
        pass


async def test_a_second_server_on_the_same_data_is_refused(postgres: Postgres) -> None:
    async with served(postgres) as process:
        with pytest.raises(StoreError, match=f"kill -INT {process.pid}"):
            await postgres.prepare()


async def test_a_lost_password_is_replaced(postgres: Postgres, home: Path, run_folder: Path, account: Account) -> None:
    async with served(postgres):
        connection = await asyncpg.connect(postgres.url())
        await connection.execute("CREATE TABLE kept (number int)")
        await connection.close()
    (home / PASSWORD_FILE).unlink()
    again = await embedded_postgres(home, home / "postgres", run_folder, account)
    assert again.password != postgres.password
    async with served(again):
        assert await rows(again) == 0


async def test_a_wrong_password_says_what_to_do(postgres: Postgres) -> None:
    with pytest.raises(StoreError, match=PASSWORD_FILE):
        async with served(replace(postgres, password="wrong")):
            pass


async def test_data_of_another_major_version_is_refused(postgres: Postgres) -> None:
    (postgres.cluster.data / "PG_VERSION").write_text("17\n")
    with pytest.raises(StoreError, match="written by Postgres 17"):
        await postgres.prepare()


async def test_a_first_start_after_an_interrupted_one(home: Path, run_folder: Path, account: Account) -> None:
    postgres = await embedded_postgres(home, home / "postgres", run_folder, account)
    half = home / "postgres.new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    assert not postgres.cluster.exists
    async with served(postgres):
        assert postgres.cluster.exists
    assert not half.exists()
    assert names(home) == {"postgres", PASSWORD_FILE, "run"}


async def test_a_server_that_cannot_start_is_an_error(postgres: Postgres) -> None:
    (postgres.cluster.data / "global" / "pg_control").unlink()
    with pytest.raises(StartError, match="exit code"):
        async with served(postgres):
            pass


async def test_a_failing_initdb_shows_its_last_words(home: Path, account: Account) -> None:
    (home / "initdb").write_text("#!/bin/sh\necho no space left on device\nexit 1\n")
    (home / "initdb").chmod(0o755)
    cluster = Cluster(binaries=home, data=home / "postgres", account=account)
    with pytest.raises(StoreError, match="no space left"):
        await cluster.make("password")
    assert not cluster.exists


async def test_postgres_stops_in_order_when_its_parent_is_killed(postgres: Postgres, home: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a process that its parent died")
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HOLDS_POSTGRES, str(home), str(postgres.run_folder),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"ready\n"
    lock = postgres.cluster.data / "postmaster.pid"
    server = ProcessIdentity.of(int(lock.read_text().split()[0]))

    parent.send_signal(signal.SIGKILL)
    await parent.wait()

    assert server.wait(10)
    assert not lock.exists()  # removed by a server that stopped in order
    assert "database system is shut down" in (home / "log").read_text()


HOLDS_POSTGRES = """
import asyncio, sys
from pathlib import Path
from shim_common.embedded.identity import ProcessIdentity
from shim_common.embedded.postgres import embedded_postgres
from shim_common.embedded.program import running

async def main(home, run_folder):
    postgres = await embedded_postgres(home, home / "postgres", run_folder)
    with (home / "log").open("ab") as log:
        async with running(postgres.program(), log):
            print("ready", flush=True)
            await asyncio.Event().wait()

asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


def test_the_address_names_user_database_and_socket(postgres: Postgres, run_folder: Path) -> None:
    assert postgres.url() == f"postgresql://{USER}:{postgres.password}@/shim?host={run_folder}"
    assert postgres.password not in repr(postgres)
