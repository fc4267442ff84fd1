"""A data folder, and stacks of stand-ins on it that are gone after the test whatever it did."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shim_stack.folder import DataFolder

from .stand_ins import Stack


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "home")


@pytest.fixture
def stack(folder: DataFolder) -> Iterator[Stack]:
    stack = Stack(folder)
    yield stack
    stack.end()
