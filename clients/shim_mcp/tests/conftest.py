from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from .clients import REVISIONS, http_server
from .fake_shim import FakeShim, running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def running_shim() -> AsyncGenerator[FakeShim]:
    async with running(FakeShim()) as shim:
        yield shim


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def address(running_shim: FakeShim) -> AsyncGenerator[str]:
    """The MCP server over HTTP, in front of `shim`."""
    async with http_server(running_shim.url) as address:
        yield address


@pytest.fixture
def shim(running_shim: FakeShim) -> FakeShim:
    """A SHIM without anything in it. Tests that use it share one event loop with it."""
    running_shim.forget()
    return running_shim


@pytest.fixture(params=REVISIONS)
def revision(request: pytest.FixtureRequest) -> str:
    return str(request.param)
