"""The server as a client starts it: a real process, spoken to over its stdin and stdout."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .clients import over_stdio, private_environ, told, write_key
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
NOWHERE = "http://127.0.0.1:1"
"""Port 1 (tcpmux) has no listener; loopback refuses at once."""


async def test_lists_and_refuses_at_once_while_shim_is_down(tmp_path: Path, revision: str) -> None:
    write_key(tmp_path, KEY)
    log = tmp_path / "stderr"
    async with over_stdio(private_environ(tmp_path, NOWHERE), revision, log) as client:
        assert client.protocol_version == revision
        started = time.monotonic()
        assert len((await client.list_tools()).tools) == 7
        assert (await client.list_resources()).resources == []
        refused = told(await client.call_tool("shim_session_status", {"session_id": "client-1"}))
        assert time.monotonic() - started < 1
    assert refused.endswith("SHIM is not running; start it with `shim up`.")
    assert KEY not in log.read_text()


async def test_works_as_soon_as_shim_does_and_never_shows_the_key(shim: FakeShim, tmp_path: Path) -> None:
    """As Claude Code starts it: the session is in the environment, and the key appears later."""
    session = shim.add_session("client-1")
    secret = "messaging-token-of-the-client"
    environ = {
        **private_environ(tmp_path, shim.url),
        "CLAUDE_CODE_SESSION_ID": "client-1",
        "CLAUDE_PROJECT_DIR": "/home/ana/webshop",
        "CLAUDE_CODE_MESSAGING_TOKEN": secret,
        "HTTP_PROXY": NOWHERE,
        "http_proxy": NOWHERE,
    }
    log = tmp_path / "stderr"
    seen = []
    async with over_stdio(environ, "2026-07-28", log, name="claude-code") as client:
        seen.append(told(await client.call_tool("shim_session_status", {})))
        assert "There is no key at" in seen[-1]
        path = write_key(tmp_path, KEY)
        path.chmod(0o644)
        seen.append(told(await client.call_tool("shim_session_status", {})))
        assert "chmod 600" in seen[-1]
        path.chmod(0o600)
        for tool, arguments in (
            ("shim_session_status", {}),
            ("shim_auto_checkpoint", {"phase": "tests"}),
            ("shim_check_recovery", {}),
            ("shim_force_checkpoint", {}),
            ("shim_monitor_signals", {}),
        ):
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content
            seen.append(str(result))
        shim.keys.clear()
        seen.append(told(await client.call_tool("shim_session_status", {})))
    assert set(shim.callers) == {KEY}
    assert [entry.body for entry in shim.stored[session.id].entries] == [{"phase": "tests"}]
    for text in (*seen, log.read_text()):
        assert KEY not in text
        assert secret not in text


async def test_ends_with_its_client(tmp_path: Path) -> None:
    environ = private_environ(tmp_path, NOWHERE)
    await asyncio.gather(*(ends(environ, way) for way in (signal.SIGINT, None)))


async def ends(environ: dict[str, str], way: signal.Signals | None) -> None:
    """Start the server, shake hands, and end it by a signal or by closing its stdin."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "shim_mcp",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        process.stdin.write(f"{json.dumps(HELLO)}\n".encode())
        assert b"2025-11-25" in await process.stdout.readline()
        if way is None:
            process.stdin.close()
        else:
            process.send_signal(way)
        async with asyncio.timeout(10):
            assert await process.wait() == (0 if way is None else -way)
            assert b"Traceback" not in await process.stderr.read()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
