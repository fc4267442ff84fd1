"""A SHIM home, a client's configuration folder, and a small SHIM behind real HTTP."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shim_agent.connections import CLAUDE_CODE, Connection
from shim_agent.gateway import Gateway
from shim_agent.watch import FolderWatch
from shim_common.kernel.clock import SystemClock
from shim_common.kernel.retry import Backoff

from .clients import StandIns
from .fake_api import FakeApi, key_file

FAST = Backoff(base=0.005, cap=0.02)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A data folder with the agent's key in it."""
    home = tmp_path / "shim-home"
    key_file(home)
    return home


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "claude"
    (folder / "projects" / "-p").mkdir(parents=True)
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "webshop"
    folder.mkdir()
    return folder


@pytest.fixture
def connection(config_dir: Path) -> Connection:
    return Connection(client=CLAUDE_CODE, config_dir=config_dir, connected_at=datetime(2020, 1, 1, tzinfo=UTC))


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    fake = FakeApi()
    async with fake.serve():
        yield fake


@pytest.fixture
async def gateway(api: FakeApi, home: Path) -> AsyncIterator[Gateway]:
    async with Gateway(api.url, home / "keys" / "agent.key") as client:
        yield client


def folder_watch(folder: Path, suffix: str = ".jsonl", *, rescan: float = 5.0) -> FolderWatch:
    return FolderWatch(folder, suffix, rescan=rescan, poll=0.05, clock=SystemClock())


@pytest.fixture
def stand_ins() -> Iterator[StandIns]:
    """Real processes; whatever is left of them is ended."""
    started = StandIns()
    try:
        yield started
    finally:
        started.end()
