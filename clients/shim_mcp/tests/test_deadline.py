"""A SHIM that listens and stays silent holds nobody up."""

import time

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from shim_mcp.api import HttpApi
from shim_mcp.server import LISTING_SECONDS, create_server

from .clients import told
from .fake_shim import KEY, FakeShim, silent

pytestmark = pytest.mark.asyncio(loop_scope="session")

DEADLINE = 0.1
SLACK = 1.0
"""Seconds a busy machine may add."""


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_everything_is_refused_within_the_deadline(shim: FakeShim, mode: str) -> None:
    shim.mood = silent
    async with HttpApi(shim.url, lambda: KEY) as api:
        server = create_server(api, deadline=DEADLINE)
        async with Client(server, mode=mode) as client:
            for tool in [tool.name for tool in (await client.list_tools()).tools]:
                arguments = {"session_id": "client-1", "project": "/p", "phase": "tests", "query": "cart"}
                started = time.monotonic()
                refused = told(await client.call_tool(tool, arguments))
                assert time.monotonic() - started < DEADLINE + SLACK
                assert "did not answer within 0.1 s" in refused
            with pytest.raises(MCPError, match="did not answer"):
                await client.read_resource("shim://sessions/client-1/transcript")
            with pytest.raises(MCPError, match="did not answer"):
                await client.get_prompt("resume", {"project": "/p"})


async def test_a_client_that_starts_is_not_held_up(shim: FakeShim) -> None:
    shim.mood = silent
    async with HttpApi(shim.url, lambda: KEY) as api, Client(create_server(api)) as client:
        started = time.monotonic()
        assert (await client.list_resources()).resources == []
        assert LISTING_SECONDS <= time.monotonic() - started < LISTING_SECONDS + SLACK
