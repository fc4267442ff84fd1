"""Which session a call is about where the client started the server itself."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp_types import Implementation

from shim_common.kernel.ids import SequentialIds
from shim_mcp.api import HttpApi
from shim_mcp.server import create_server
from shim_mcp.stdio import host_of

from .clients import REVISIONS
from .fake_shim import KEY, FakeShim

pytestmark = pytest.mark.asyncio(loop_scope="session")

CLAUDE_CODE = {"CLAUDE_CODE_SESSION_ID": "client-1", "CLAUDE_PROJECT_DIR": "/home/ana/webshop"}
DESKTOP: dict[str, str] = {}


@asynccontextmanager
async def started_with(shim: FakeShim, environ: Mapping[str, str], revision: str, name: str) -> AsyncGenerator[Client]:
    async with HttpApi(shim.url, lambda: KEY) as api:
        server = create_server(api, host_of(environ, SequentialIds()))
        info = Implementation(name=name, version="0.1.0")
        async with Client(server, mode=REVISIONS[revision], client_info=info) as client:
            yield client


async def session_of(client: Client, tool: str, arguments: dict[str, Any], meta: Any = None) -> str:
    result = await client.call_tool(tool, arguments, meta=meta)
    assert not result.is_error, result.content
    return str((result.structured_content or {})["session_id"])


async def test_claude_code_need_not_name_its_session(shim: FakeShim, revision: str) -> None:
    session = shim.add_session("client-1")
    shim.add_session("another")
    async with started_with(shim, CLAUDE_CODE, revision, "claude-code") as client:
        assert await session_of(client, "shim_session_status", {}) == session.id
        assert await session_of(client, "shim_auto_checkpoint", {"phase": "tests"}) == session.id


async def test_claude_code_need_not_name_its_project(shim: FakeShim, revision: str) -> None:
    shim.add_session("another", project="/home/ana/blog")
    session = shim.add_session("client-0", project="/home/ana/webshop")
    shim.add_session("a third", project="/home/ana/blog")
    shim.interrupted[session.id] = "Open task: prices."
    async with started_with(shim, CLAUDE_CODE, revision, "claude-code") as client:
        assert await session_of(client, "shim_check_recovery", {}) == session.id


async def test_after_clear_the_call_tells_the_session(shim: FakeShim, revision: str) -> None:
    """The environment still names the old session; the call's id does not."""
    shim.add_session("client-1")
    new = shim.add_session("new")
    shim.tool_calls["toolu_01"] = new.id
    async with started_with(shim, CLAUDE_CODE, revision, "claude-code") as client:
        meta = {"claudecode/toolUseId": "toolu_01"}
        assert await session_of(client, "shim_session_status", {}, meta) == new.id


async def test_a_call_that_no_hook_saw_falls_back_to_the_environment(shim: FakeShim, revision: str) -> None:
    session = shim.add_session("client-1")
    async with started_with(shim, CLAUDE_CODE, revision, "claude-code") as client:
        meta = {"claudecode/toolUseId": "toolu_unseen"}
        assert await session_of(client, "shim_session_status", {}, meta) == session.id


async def test_claude_code_opens_its_session_if_no_hook_did(shim: FakeShim, revision: str) -> None:
    async with started_with(shim, CLAUDE_CODE, revision, "claude-code") as client:
        first = await session_of(client, "shim_auto_checkpoint", {"phase": "tests"})
        assert await session_of(client, "shim_auto_checkpoint", {"phase": "review"}) == first
    (stored,) = shim.stored.values()
    assert (stored.session.client, stored.session.client_session_id) == ("claude-code", "client-1")
    assert stored.session.project == "/home/ana/webshop"
    assert len(stored.entries) == 2


async def test_claude_desktop_has_one_session_a_project(shim: FakeShim, revision: str) -> None:
    async with started_with(shim, DESKTOP, revision, "claude-ai") as client:
        opened = [
            await session_of(client, "shim_auto_checkpoint", {"phase": "tests", **project})
            for project in ({"project": "/ana/webshop"}, {"project": "/ana/webshop"}, {"project": "/ana/blog"}, {})
        ]
    assert opened[0] == opened[1]
    assert len(set(opened)) == 3
    assert {stored.session.client for stored in shim.stored.values()} == {"claude-desktop"}
    assert shim.stored[opened[3]].session.project == str(Path.home())


async def test_two_connections_of_claude_desktop_are_two_sessions(shim: FakeShim, revision: str) -> None:
    ids = SequentialIds()
    async with HttpApi(shim.url, lambda: KEY) as api:
        for _ in range(2):
            async with Client(create_server(api, host_of(DESKTOP, ids)), mode=REVISIONS[revision]) as client:
                await session_of(client, "shim_auto_checkpoint", {"phase": "tests"})
    assert len(shim.stored) == 2


async def test_a_long_or_empty_client_name_is_no_obstacle(shim: FakeShim, revision: str) -> None:
    for name in ("x" * 1000, "  "):
        async with started_with(shim, DESKTOP, revision, name) as client:
            await session_of(client, "shim_auto_checkpoint", {"phase": "tests", "project": f"/{len(name)}"})
    assert [stored.session.client for stored in shim.stored.values()] == ["x" * 64, "mcp-client"]
