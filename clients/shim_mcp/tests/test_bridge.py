"""The bridge as a client starts it: a real process between the official SDK client and the real HTTP endpoint."""

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import Implementation

from shim_common.web import serve
from shim_mcp import bridge
from shim_mcp.http import create_app
from shim_mcp.server import DEADLINE_SECONDS
from shim_mcp.settings import Settings

from .clients import REVISIONS, started, told
from .fake_shim import KEY, FakeShim

pytestmark = pytest.mark.asyncio(loop_scope="session")

PYTHON = str(getattr(sys, "_base_executable", sys.executable))
SLACK = 1.0
"""Seconds for starting an interpreter on a busy machine."""

DISCOVER = {
    "jsonrpc": "2.0",
    "id": "probe-1",
    "method": "server/discover",
    "params": {
        "_meta": {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {},
        }
    },
}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "agent.key"
    file.write_text(f"{KEY}\n")
    return file


@dataclass
class Endpoint:
    """The HTTP endpoint on a port that it keeps, so that it can be stopped and started again."""

    shim: FakeShim
    port: int
    server: serve.Server | None = None
    serving: asyncio.Task[None] | None = None

    async def up(self) -> Self:
        app = create_app(Settings.model_validate({"url": self.shim.url}))
        self.server = serve.server(app, f"http://127.0.0.1:{self.port}")
        self.serving = asyncio.create_task(self.server.serve())
        async with asyncio.timeout(10):
            await started(self.server)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]
        return self

    async def down(self) -> None:
        if self.server is not None and self.serving is not None:
            self.server.should_exit = True
            self.server.force_exit = True
            await self.serving
            self.serving = None


@asynccontextmanager
async def endpoint(shim: FakeShim) -> AsyncGenerator[Endpoint]:
    serving = await Endpoint(shim, 0).up()
    try:
        yield serving
    finally:
        await serving.down()


def command(port: int, key_file: Path) -> list[str]:
    return [PYTHON, "-I", "-S", "-E", bridge.__file__, str(port), str(key_file)]


@asynccontextmanager
async def bridged(
    port: int, key_file: Path, revision: str, environ: Mapping[str, str] | None = None
) -> AsyncGenerator[Client]:
    python, *arguments = command(port, key_file)
    parameters = StdioServerParameters(command=python, args=arguments, env=dict(environ or {}))
    log = key_file.with_name("stderr")
    with log.open("w") as errors:
        async with Client(
            stdio_client(parameters, errlog=errors),
            mode=REVISIONS[revision],
            client_info=Implementation(name="claude-code", version="2"),
        ) as client:
            yield client
    assert log.read_text() == ""


@dataclass(frozen=True)
class Raw:
    """The bridge, spoken to line by line."""

    process: asyncio.subprocess.Process

    def say(self, *messages: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    async def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(10):
            return dict(json.loads(await self.process.stdout.readline()))

    async def ask(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
        """Return the answer and the seconds it took."""
        began = time.monotonic()
        self.say(message)
        return await self.hear(), time.monotonic() - began


@asynccontextmanager
async def spoken_to(port: int, key_file: Path) -> AsyncGenerator[Raw]:
    """Start the bridge; at the end it must leave silently as soon as its stdin closes."""
    pipe = subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command(port, key_file), stdin=pipe, stdout=pipe, stderr=pipe, env={}
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        yield Raw(process)
        process.stdin.close()
        async with asyncio.timeout(10):
            assert await process.wait() == 0
            assert (await process.stdout.read(), await process.stderr.read()) == (b"", b"")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def silent_port() -> AsyncGenerator[int]:
    """Accept, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def refused_with(answer: dict[str, Any], message: str) -> object:
    """Check that the answer is this refusal, and return whose."""
    assert answer == {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": -32603, "message": message}}
    return answer["id"]


def call(number: int, tool: str = "shim_session_status") -> dict[str, Any]:
    """A tool call of revision 2026-07-28."""
    params = {**DISCOVER["params"], "name": tool, "arguments": {"session_id": "client-1"}}  # type: ignore[dict-item]
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


async def test_lists_and_calls_tools_and_passes_on_errors(shim: FakeShim, key_file: Path, revision: str) -> None:
    session = shim.add_session("client-1", project="/home/ana/wéb\u2028shop")
    async with endpoint(shim) as serving, bridged(serving.port, key_file, revision) as client:
        assert client.protocol_version == revision
        assert len((await client.list_tools()).tools) == 7
        assert len((await client.list_resources()).resources) == 1
        found, *refused = await asyncio.gather(
            client.call_tool("shim_session_status", {"session_id": "client-1"}),
            *(client.call_tool("shim_session_status", {"session_id": f"é{number}"}) for number in range(5)),
        )
        assert found.structured_content is not None
        assert found.structured_content["session_id"] == session.id
        assert found.structured_content["project"] == "/home/ana/wéb\u2028shop"
        for number, one in enumerate(refused):
            assert f"there is no session é{number}" in told(one)
        with pytest.raises(MCPError):
            await client.read_resource("shim://sessions/ünknown/transcript")
        page = await client.read_resource(f"shim://sessions/{session.id}/transcript")
        assert len(page.contents) == 1
    assert set(shim.callers) == {KEY}


async def test_goes_on_after_shim_was_restarted(shim: FakeShim, key_file: Path, revision: str) -> None:
    shim.add_session("client-1")
    asked = ("shim_session_status", {"session_id": "client-1"})
    async with endpoint(shim) as serving, bridged(serving.port, key_file, revision) as client:
        assert not (await client.call_tool(*asked)).is_error
        await serving.down()
        with pytest.raises(MCPError, match="SHIM is not running; start it with `shim up`"):
            await client.call_tool(*asked)
        await serving.up()
        answers = await asyncio.gather(*(client.call_tool(*asked) for _ in range(5)))
        assert not any(answer.is_error for answer in answers)


async def test_refuses_the_handshake_at_once_while_shim_is_down(key_file: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        async with spoken_to(unused.getsockname()[1], key_file) as raw:
            for asked in (DISCOVER, INITIALIZE):
                answer, seconds = await raw.ask(asked)
                assert refused_with(answer, bridge.DOWN) == asked["id"]
                assert seconds < SLACK


async def test_a_missing_key_means_that_shim_never_ran(shim: FakeShim, key_file: Path) -> None:
    key_file.unlink()
    async with endpoint(shim) as serving, spoken_to(serving.port, key_file) as raw:
        answer, _ = await raw.ask(DISCOVER)
        refused_with(answer, bridge.DOWN)
        key_file.write_text(KEY)
        answer, _ = await raw.ask({**DISCOVER, "id": 2})
        assert "2026-07-28" in answer["result"]["supportedVersions"]


async def test_a_silent_shim_delays_the_whole_handshake_by_one_limit(key_file: Path) -> None:
    async with silent_port() as port, spoken_to(port, key_file) as raw:
        began = time.monotonic()
        for asked in (DISCOVER, INITIALIZE):
            answer, _ = await raw.ask(asked)
            assert refused_with(answer, bridge.SILENT) == asked["id"]
        assert bridge.HANDSHAKE_LIMIT < time.monotonic() - began < bridge.HANDSHAKE_LIMIT + SLACK


async def test_a_slow_call_holds_up_no_other_and_can_be_cancelled(key_file: Path) -> None:
    """Nobody ever answers the calls: what comes back is the refused handshake, and nothing for the cancelled ones."""
    async with silent_port() as port, spoken_to(port, key_file) as raw:
        raw.say(call(1), call(2))
        answer, _ = await raw.ask({**DISCOVER, "id": 3})
        assert refused_with(answer, bridge.SILENT) == 3
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
        raw.say(*({**cancelled, "params": {"requestId": number}} for number in (1, 2)))
        raw.process.stdin.write(b"no json\n[]\n")  # type: ignore[union-attr]
        answer, _ = await raw.ask({**INITIALIZE, "id": 4})
        assert refused_with(answer, bridge.SILENT) == 4


async def test_calls_may_be_silent_longer_than_the_handshake() -> None:
    assert bridge.Call(call(1)).limit == bridge.CALL_LIMIT > DEADLINE_SECONDS
    assert {bridge.Call(asked).limit for asked in (DISCOVER, INITIALIZE)} == {bridge.HANDSHAKE_LIMIT}


@pytest.mark.parametrize(
    ("answered", "message"),
    [
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", bridge.REFUSED_KEY),
        (b"HTTP/1.1 503 No\r\nContent-Type: text/html\r\n\r\n<p>", "SHIM cannot answer now (HTTP status 503)"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", bridge.UNREADABLE),
        (b"SSH-2.0-x\r\n", bridge.UNREADABLE),
        (b"", bridge.UNREADABLE),
    ],
)
async def test_what_is_no_answer_is_refused(key_file: Path, answered: bytes, message: str) -> None:
    async def answer_so(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head.decode())
        writer.write(answered)
        writer.close()

    heads: list[str] = []
    server = await asyncio.start_server(answer_so, "127.0.0.1", 0)
    async with server, spoken_to(server.sockets[0].getsockname()[1], key_file) as raw:
        answer, _ = await raw.ask(call(7, "wérkzeug"))
        assert refused_with(answer, message) == 7
    lines = heads[0].split("\r\n")
    assert f"Authorization: Bearer {KEY}" in lines
    assert "Mcp-Method: tools/call" in lines
    assert "Mcp-Name: =?base64?d8Opcmt6ZXVn?=" in lines
    assert "MCP-Protocol-Version: 2026-07-28" in lines
    assert not any(line.startswith("X-Shim-Client-Session") for line in lines)


async def test_names_the_clients_session_and_streams_what_the_server_says(key_file: Path) -> None:
    """A stream in odd pieces: a comment, a request of the server's own, data on two lines, then the answer."""
    events = (
        b": ping\r\n\r\n"
        b'id: 1\r\ndata:\r\n\r\nevent: message\r\ndata: {"jsonrpc":"2.0","id":5,"method":"roots/list"}\r\n\r\n'
        b'data: {"jsonrpc":"2.0","id":null,\ndata: "result":{"tools":[]}}\n\n'
    )
    chunks = b"".join(b"%x;x=y\r\n%s\r\n" % (len(events[at : at + 7]), events[at : at + 7]) for at in range(0, 999, 7))

    async def answer_so(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        )
        writer.close()

    heads: list[str] = []
    server = await asyncio.start_server(answer_so, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    asked = json.dumps({"jsonrpc": "2.0", "id": 9, "method": "tools/list"}).encode() + b"\n"
    async with server:
        process = await asyncio.create_subprocess_exec(
            *command(port, key_file),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={"CLAUDE_CODE_SESSION_ID": "0b7e-1"},
        )
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(asked)
        async with asyncio.timeout(10):
            heard = [json.loads(await process.stdout.readline()) for _ in range(2)]
            process.stdin.close()
            assert await process.wait() == 0
    assert heard == [
        {"jsonrpc": "2.0", "id": 5, "method": "roots/list"},
        {"jsonrpc": "2.0", "id": 9, "result": {"tools": []}},
    ]
    assert "X-Shim-Client-Session: 0b7e-1" in heads[0].split("\r\n")
