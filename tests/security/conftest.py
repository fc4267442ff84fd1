"""A running stack of these tests' own."""

from collections.abc import Iterator

import pytest

from shim_common.embedded.cluster import USER

from ..stack.rig.stack import Stack, free_port, stack_folder


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack that has just come up, in a data folder that is closed to others as a user's is."""
    with stack_folder() as (_, home):
        stack = Stack(home, free_port())
        stack.up()
        yield stack


@pytest.fixture(scope="module")
def database_url(stack: Stack) -> str:
    """The address of the stack's Postgres."""
    password = (stack.home / "postgres.password").read_text().strip()
    return f"postgresql://{USER}:{password}@/shim?host={stack.record.run_folder}"


@pytest.fixture(scope="module")
def redis_url(stack: Stack) -> str:
    """The address of the stack's Valkey."""
    return f"unix://{stack.record.run_folder}/valkey.sock"
