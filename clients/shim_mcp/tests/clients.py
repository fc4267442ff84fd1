"""The official SDK client, over each transport."""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Implementation

from shim_common.web import serve
from shim_mcp.http import create_app
from shim_mcp.settings import Settings

REVISIONS = {"2025-11-25": "legacy", "2026-07-28": "auto"}
"""Protocol revision -> how the SDK client is told to speak it."""


@asynccontextmanager
async def http_server(shim_url: str, **settings: object) -> AsyncGenerator[str]:
    """Serve the real application on a real uvicorn; yields its address."""
    chosen = Settings.model_validate({"url": shim_url, **settings})
    server = serve.server(create_app(chosen), "http://127.0.0.1:0")
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(10):
            await started(server)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


async def started(server: serve.Server) -> None:
    """Wait until the server listens; uvicorn has a flag for it and no event."""
    while not server.started:
        await asyncio.sleep(0)


@asynccontextmanager
async def over_http(
    address: str, revision: str, key: str, name: str = "codex", uds: Path | None = None
) -> AsyncGenerator[Client]:
    transport = httpx2.AsyncHTTPTransport(uds=str(uds)) if uds else None
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, transport=transport, timeout=10) as http,
        Client(
            streamable_http_client(f"{address}/mcp/", http_client=http),
            mode=REVISIONS[revision],
            client_info=Implementation(name=name, version="1.2"),
        ) as client,
    ):
        yield client


@asynccontextmanager
async def over_stdio(
    environ: Mapping[str, str], revision: str, stderr: Path, name: str = "claude-ai"
) -> AsyncGenerator[Client]:
    started = StdioServerParameters(command=sys.executable, args=["-m", "shim_mcp"], env=dict(environ))
    with stderr.open("w") as log:
        async with Client(
            stdio_client(started, errlog=log),
            mode=REVISIONS[revision],
            client_info=Implementation(name=name, version="0.1.0"),
        ) as client:
            yield client


def private_environ(home: Path, shim_url: str) -> dict[str, str]:
    """An environment that leads nowhere but into this folder and to this address."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "SHIM_HOME": str(home / "shim"), "SHIM_URL": shim_url}


def write_key(home: Path, key: str) -> Path:
    path = home / "shim" / "keys" / "agent.key"
    path.parent.mkdir(parents=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(f"{key}\n")
    return path


def told(result: CallToolResult) -> str:
    """The text of an error as the model reads it."""
    assert result.is_error
    assert result.structured_content is None
    return result.content[0].text  # type: ignore[union-attr]
