"""Who is let in over HTTP, with what, and for how long."""

import asyncio
import sys
from pathlib import Path

import httpx2
import pytest
from mcp_types import LATEST_PROTOCOL_VERSION

from shim_mcp.http import MOST_BODY_BYTES

from .clients import over_http, private_environ, told
from .fake_shim import KEY, FakeShim

pytestmark = pytest.mark.asyncio(loop_scope="session")

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
HEADERS = {"authorization": f"Bearer {KEY}", "accept": "application/json, text/event-stream"}


async def post(url: str, headers: dict[str, str], body: object = HELLO) -> httpx2.Response:
    async with httpx2.AsyncClient() as http:
        return await http.post(url, headers=headers, json=body)


async def test_both_revisions_are_served(address: str) -> None:
    for revision in ("2025-11-25", "2026-07-28"):
        async with over_http(address, revision, KEY) as client:
            assert client.protocol_version == revision
    assert LATEST_PROTOCOL_VERSION == "2026-07-28"


async def test_without_a_key_nobody_is_let_in(address: str) -> None:
    accept = {"accept": HEADERS["accept"]}
    for headers in (accept, {**accept, "authorization": "Basic YTpi"}):
        refused = await post(f"{address}/mcp/", headers)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("revision", ["2025-11-25", "2026-07-28"])
async def test_host_and_origin_are_checked(address: str, revision: str) -> None:
    headers = {**HEADERS, "mcp-protocol-version": revision}
    url = f"{address}/mcp/"
    assert (await post(url, {**headers, "host": "evil.example"})).status_code == 421
    assert (await post(url, {**headers, "host": "127.0.0.1.evil.example:80"})).status_code == 421
    assert (await post(url, {**headers, "origin": "https://evil.example"})).status_code == 403
    assert (await post(url, {**headers, "origin": "null"})).status_code == 403
    for names in ({"origin": "http://localhost:7446"}, {"host": "localhost:7446"}, {"host": "[::1]:7446"}):
        assert (await post(url, {**headers, **names})).status_code not in {403, 421}


async def test_a_body_over_the_limit_is_refused(address: str) -> None:
    async with httpx2.AsyncClient() as http:
        body = b'{"jsonrpc":"2.0","id":1,"method":"' + b"x" * MOST_BODY_BYTES + b'"}'
        headers = {**HEADERS, "content-type": "application/json"}
        assert (await http.post(f"{address}/mcp/", headers=headers, content=body)).status_code == 413

        async def pieces() -> object:
            for _ in range(MOST_BODY_BYTES // 65536 + 1):
                yield b"x" * 65536

        answer = await http.post(f"{address}/mcp/", headers=headers, content=pieces())  # type: ignore[arg-type]
        assert answer.status_code == 413


async def test_a_session_of_another_caller_does_not_exist(shim: FakeShim, address: str) -> None:
    opened = await post(f"{address}/mcp/", HEADERS)
    assert opened.status_code == 200
    session = {"mcp-session-id": opened.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25"}
    ping = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    other = {**HEADERS, "authorization": "Bearer shim_of_somebody_else"}
    assert (await post(f"{address}/mcp/", {**other, **session}, ping)).status_code == 404
    assert (await post(f"{address}/mcp/", {**HEADERS, **session}, ping)).status_code == 200


async def test_health_is_open_and_says_little(address: str) -> None:
    async with httpx2.AsyncClient() as http:
        healthy = await http.get(f"{address}/healthz")
    assert (healthy.status_code, healthy.json()) == (200, {"status": "ok"})


async def test_a_key_that_shim_does_not_know_is_refused_at_the_call(
    shim: FakeShim, address: str, revision: str
) -> None:
    stranger = "shim_of_a_stranger_0123456789_0123456789"
    async with over_http(address, revision, stranger) as client:
        refused = told(await client.call_tool("shim_session_status", {"session_id": "client-1"}))
    assert "`shim connect` makes a new one" in refused
    assert stranger not in refused


async def test_the_process_serves_a_unix_socket_until_it_is_told_to_stop(shim: FakeShim, tmp_path: Path) -> None:
    shim.add_session("client-1")
    socket = tmp_path / "mcp.sock"
    environ = {**private_environ(tmp_path, shim.url), "SHIM_MCP_URL": f"unix://{socket}"}
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "shim_mcp", "serve", env=environ)
    try:
        async with asyncio.timeout(20):
            await listening(socket)
        async with over_http("http://127.0.0.1:7446", "2026-07-28", KEY, uds=socket) as client:
            found = await client.call_tool("shim_session_status", {"session_id": "client-1"})
            assert not found.is_error
        process.terminate()
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def listening(socket: Path) -> None:
    """Wait until somebody answers on the socket."""
    transport = httpx2.AsyncHTTPTransport(uds=str(socket))
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        while True:
            try:
                assert (await http.get("/healthz")).status_code == 200
            except httpx2.ConnectError:
                await asyncio.sleep(0.02)
            else:
                return
