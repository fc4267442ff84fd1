"""A home, a small supervisor behind real HTTP, and the agent's part of supervision between them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from shim_agent.gateway import Gateway
from shim_agent.supervision.deciding import Decider
from shim_agent.supervision.keeper import Supervision
from shim_agent.supervision.launchers import launchers_file
from shim_agent.supervision.policies import Policies
from shim_agent.supervision.returning import Returning
from shim_agent.supervision.store import Store
from shim_common.kernel.clock import Clock, SystemClock
from shim_common.kernel.ids import TimeOrderedIds
from shim_common.kernel.retry import Backoff

from .fake_supervisor import FakeSupervisor
from .sample import BOOT

FAST = Backoff(base=0.005, cap=0.02)


@dataclass
class Part:
    """The agent's part, running."""

    supervision: Supervision
    store: Store
    gateway: Gateway


Running = Callable[..., AbstractAsyncContextManager[Part]]


@pytest.fixture
def config_dir(tmp_path: Path) -> Path:
    folder = tmp_path / "claude"
    (folder / "sessions").mkdir(parents=True)
    return folder


@pytest.fixture
async def service() -> AsyncIterator[FakeSupervisor]:
    fake = FakeSupervisor()
    async with fake.serve():
        yield fake


@pytest.fixture
def running(home: Path, service: FakeSupervisor) -> Running:
    @asynccontextmanager
    async def run(*, boot: str = BOOT, clock: Clock | None = None, arrival: float = 5.0) -> AsyncIterator[Part]:
        clock = clock or SystemClock()
        store, policies = Store(home), Policies(home)
        async with Gateway(service.url, home / "keys" / "agent.key") as gateway:
            part = Supervision(
                gateway,
                store,
                policies,
                Decider(store, policies, clock, boot),
                Returning(home, store, clock, arrival),
                clock,
                TimeOrderedIds(clock),
                FAST,
                boot=boot,
                beat_seconds=0.05,
                look_seconds=0.05,
            )
            task = asyncio.create_task(part.run())
            try:
                yield Part(part, store, gateway)
            finally:
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled()

    return run


@pytest.fixture
def launcher(home: Path, tmp_path: Path) -> Path:
    """A launcher that writes down the arguments that it got, one a line; its file."""
    told = tmp_path / "launched"
    writing = f"import sys; open({str(told)!r}, 'a').write(chr(10).join(sys.argv[1:]) + chr(10) + chr(10))"
    home.mkdir(exist_ok=True)
    file = launchers_file(home)
    file.write_text(f'[launchers.paper]\ncommand = [{sys.executable!r}, "-c", """{writing}""", "{{resume...}}"]\n')
    file.chmod(0o600)
    home.chmod(0o700)
    return told
