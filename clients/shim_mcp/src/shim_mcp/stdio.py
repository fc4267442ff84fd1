"""The server over stdio: one process for one client, with the key of this machine."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import anyio

from shim_common.kernel.ids import Ids, TimeOrderedIds
from shim_mcp.api import HttpApi
from shim_mcp.keys import KeyFile
from shim_mcp.server import create_server
from shim_mcp.sessions import Host
from shim_mcp.settings import Settings


def host_of(environ: Mapping[str, str], ids: Ids) -> Host:
    """Return what the client's environment tells of it; without a project the work is in the home folder."""
    return Host(
        session_id=environ.get("CLAUDE_CODE_SESSION_ID") or None,
        project=environ.get("CLAUDE_PROJECT_DIR") or str(Path.home()),
        connection=ids.new("mcp"),
    )


async def serve(settings: Settings, host: Host) -> None:
    """Serve until the client closes its end. SHIM need not be running; it is asked when a tool is called."""
    async with HttpApi(settings.url, KeyFile(settings.key_path)) as api:
        await create_server(api, host).run_stdio_async()


def main() -> None:
    """Serve this process's stdin and stdout."""
    # A thread waits for stdin, and Python's own handler would wait for that thread. Nothing is kept here.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    anyio.run(serve, Settings(), host_of(os.environ, TimeOrderedIds()))
