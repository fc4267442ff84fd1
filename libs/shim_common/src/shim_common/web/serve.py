"""Serves ASGI applications on TCP ports or unix sockets."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from shim_common.web.protocol import GuardedProtocol

_KEEP_ALIVE = 75
_GRACE = 3
"""Seconds that open requests get when the server stops."""
_NOT_STARTED = 3
"""The exit code that uvicorn's own command has for this."""


@dataclass(frozen=True)
class Tls:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


class Server(uvicorn.Server):
    """uvicorn without hands on the process's signals, and with unix sockets for their owner alone."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; uvicorn opens a unix socket for everybody, which is closed here before anything is served."""
        await super().startup(sockets)
        if self.started and self.config.uds is not None:
            _keep_to_owner(Path(self.config.uds))

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to whoever owns the process."""
        yield


def _keep_to_owner(path: Path) -> None:
    path.chmod(0o600)


def server(app: ASGIApp, address: str, tls: Tls | None = None) -> Server:
    """Return a server at an address, `unix:///path` or `http://host:port`.

    `await it.serve()` runs it, `it.should_exit = True` ends it.
    """
    url = urlsplit(address)
    return Server(
        uvicorn.Config(
            app,
            uds=url.path if url.scheme == "unix" else None,
            host=url.hostname or "127.0.0.1",
            port=url.port or 0,
            http=GuardedProtocol,
            ws="none",
            log_config=None,  # it goes where all logs go
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
            ssl_certfile=tls.certificate if tls else None,
            ssl_keyfile=tls.key if tls else None,
        )
    )


async def run(app: ASGIApp, address: str, tls: Tls | None = None) -> None:
    """Serve at an address until SIGTERM or SIGINT.

    Raises:
        SystemExit: the application did not start; the log says why.
    """
    await _run([server(app, address, tls)])


async def run_all(apps: Mapping[str, ASGIApp]) -> None:
    """Serve several applications in one loop, each at its address, until SIGTERM or SIGINT.

    Raises:
        SystemExit: one of them did not start; the log says why.
    """
    await _run([server(app, address) for address, app in apps.items()])


async def _run(servers: list[Server]) -> None:
    def stop() -> None:
        for one in servers:
            one.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    async with asyncio.TaskGroup() as group:
        for one in servers:
            group.create_task(_serve(one, stop))


async def _serve(one: Server, stop: Callable[[], None]) -> None:
    try:
        await one.serve()
    finally:
        stop()
    if not one.started:
        raise SystemExit(_NOT_STARTED)
