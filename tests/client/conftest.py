"""Fixtures for tests with the real client."""

import sys
from functools import partial
from pathlib import Path

import pytest

collect_ignore = ["webshop"]  # a project that is worked on, not tested, here

sys.path.insert(0, str(Path(__file__).parent))

from harness.install import NEWEST, OLD, ClientUnavailable, Installation, install  # noqa: E402 - found by the line above
from harness.rig import Rigging, rigged  # noqa: E402


@pytest.fixture(scope="session", params=[NEWEST, OLD], ids=["newest", OLD])
def installation(request: pytest.FixtureRequest) -> Installation:
    """The client, once in each supported version; fetched on first use."""
    try:
        return install(request.param)
    except ClientUnavailable as missing:
        pytest.skip(f"the real client cannot be had: {missing}")


@pytest.fixture
def rig(installation: Installation, tmp_path: Path) -> Rigging:
    """Start API, hook sink and client of this test: `async with rig(script) as r`."""
    return partial(rigged, installation, tmp_path)
