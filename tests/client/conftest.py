"""Fixtures for tests with the real client."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from functools import cache, partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

collect_ignore = ["webshop"]  # a project that is worked on, not tested, here

sys.path.insert(0, str(Path(__file__).parent))

from harness.connections import Connections  # noqa: E402 - found by the line above
from harness.install import NEWEST, OLD, ClientUnavailable, Installation, install  # noqa: E402
from harness.journal import listen  # noqa: E402
from harness.rig import Rigging, rigged  # noqa: E402
from harness.scene import Scene, Stage, Staging, staged  # noqa: E402
from harness.stack import Stack, running_stack  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line say how often the client is killed."""
    group = parser.getgroup("kills of the real client")
    group.addoption("--kills", type=int, help="how many")
    group.addoption("--kills-seed", type=int, help="which ones, in which order")


@pytest.fixture(scope="session")
def installed() -> Callable[[str], Installation]:
    """Lend the client in the wanted version; fetched on first use."""

    @cache
    def found(wanted: str) -> Installation:
        try:
            return install(wanted)
        except ClientUnavailable as missing:
            pytest.skip(f"the real client cannot be had: {missing}")

    return found


@pytest.fixture(scope="session", params=[NEWEST, OLD], ids=["newest", OLD])
def installation(request: pytest.FixtureRequest, installed: Callable[[str], Installation]) -> Installation:
    """The client, once in each supported version."""
    return installed(request.param)


@pytest.fixture
def rig(installation: Installation, tmp_path: Path) -> Rigging:
    """Start API, hook sink and client of this test: `async with rig(script) as r`."""
    return partial(rigged, installation, tmp_path)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A SHIM that runs as long as the tests."""
    with running_stack() as stack:
        yield stack


@pytest.fixture(scope="session")
def connections(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Connections:
    """Clients that are connected with the stack."""
    return Connections(stack, tmp_path_factory.mktemp("connected"))


@pytest.fixture(scope="session")
def door() -> Iterator[socket.socket]:
    """Where hooks knock that are to be written down on their way to the stack."""
    with listen() as door:
        yield door


@pytest.fixture
def stage(installed: Callable[[str], Installation], stack: Stack, connections: Connections, tmp_path: Path) -> Stage:
    """Start API and a connected client of this test: `async with stage(version, script) as s`, any number of times."""
    numbers = count(1)

    def start(version: str, *arguments: Any, **more: Any) -> AbstractAsyncContextManager[Scene]:
        root = tmp_path / f"{next(numbers)}"
        return staged(stack, connections, root, installed(version), *arguments, **more)

    return start


@pytest.fixture
def scene(installation: Installation, stage: Stage) -> Staging:
    """Start API and the connected client of this test: `async with scene(script) as s`."""
    return partial(stage, installation.version)
