"""A data folder that the user Postgres runs as can reach, a short folder for sockets, a cluster made before."""

import asyncio
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shim_common.embedded.account import Account, store_account
from shim_common.embedded.postgres import Postgres, embedded_postgres
from shim_common.embedded.run_folder import choose_run_folder


@contextmanager
def open_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="shim-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def account() -> Account:
    return store_account()


@pytest.fixture
def home() -> Iterator[Path]:
    with open_folder() as folder:
        yield folder


@pytest.fixture
def run_folder(home: Path, account: Account) -> Path:
    return choose_run_folder(home, account, environ={})


@pytest.fixture(scope="session")
def made_home() -> Iterator[Path]:
    """A data folder with a cluster that was never started, made once."""

    async def make(home: Path) -> None:
        postgres = await embedded_postgres(home, home / "postgres", home / "run", durable=False)
        await postgres.prepare()

    with open_folder() as folder, asyncio.Runner(loop_factory=asyncio.new_event_loop) as loop:
        loop.run(make(folder))
        yield folder


@pytest.fixture
def home_with_cluster(made_home: Path, home: Path) -> Path:
    subprocess.run(["cp", "-a", f"{made_home}/.", str(home)], check=True)
    return home


@pytest.fixture
async def postgres(home_with_cluster: Path, home: Path, run_folder: Path, account: Account) -> Postgres:
    """The server for a copy of that cluster; it does not wait for the disk."""
    return await embedded_postgres(home, home / "postgres", run_folder, account, durable=False)
