"""A stack of its own: its figures are known from their start."""

from collections.abc import Iterator

import pytest

from ..stack.rig.stack import Stack, free_port, open_home


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack that has just come up."""
    with open_home() as home:
        stack = Stack(home, free_port())
        stack.up()
        yield stack
