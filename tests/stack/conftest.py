"""The running stack that these tests share, and stacks for those that take one down."""

from collections.abc import Iterator

import pytest

from shim_cli.api import Api

from .rig.stack import Stack, free_port, open_home, stack_folder

LONG = "a-folder-with-a-rather-long-name-" * 4


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A stack that is up, in a closed folder under a path too long for sockets. Leave it as you found it."""
    with stack_folder(f"{LONG}/home") as (_, home):
        shared = Stack(home, free_port())
        shared.up()
        yield shared


@pytest.fixture
def api(stack: Stack) -> Iterator[Api]:
    """A connection to the shared stack."""
    with stack.api() as api:
        yield api


@pytest.fixture
def fresh() -> Iterator[Stack]:
    """A stack that is not up yet, for this test alone."""
    with open_home() as home:
        yield Stack(home, free_port())
