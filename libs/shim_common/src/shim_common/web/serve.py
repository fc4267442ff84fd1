"""Serves an ASGI application on a TCP port or a unix socket."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

_KEEP_ALIVE = 75
_GRACE = 5


class Server(uvicorn.Server):
    """uvicorn without hands on the process's signals: several may live in one process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to whoever owns the process."""
        yield


def server(app: ASGIApp, *, uds: Path | None = None, host: str | None = None, port: int | None = None) -> Server:
    """Return a server for this application; `await it.serve()` runs it, `it.should_exit = True` ends it."""
    return Server(
        uvicorn.Config(
            app,
            uds=str(uds) if uds else None,
            host=host or "127.0.0.1",
            port=port or 0,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
            h11_max_incomplete_event_size=32 * 1024,
        )
    )


async def run(app: ASGIApp, address: str) -> None:
    """Serve at an address, `unix:///path` or `http://host:port`, until SIGTERM or SIGINT."""
    await run_all({address: app})


async def run_all(apps: Mapping[str, ASGIApp]) -> None:
    """Serve several applications in one loop, each at its address, until SIGTERM or SIGINT."""
    servers = [_at(address, app) for address, app in apps.items()]

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


def _at(address: str, app: ASGIApp) -> Server:
    url = urlsplit(address)
    if url.scheme == "unix":
        return server(app, uds=Path(url.path))
    return server(app, host=url.hostname, port=url.port)
