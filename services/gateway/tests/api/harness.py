"""A running gateway and what stands behind it: real servers on unix sockets, in the process of the tests."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from starlette.types import ASGIApp

from shim_common.contracts.access import Scope
from shim_common.kernel.clock import Clock
from shim_common.web.protocol import GuardedProtocol
from shim_common.web.serve import server
from shim_gateway.app import create_app
from shim_gateway.settings import Settings

PATIENCE = 20.0
"""Seconds after which something that a test waits for has failed to happen."""
URL = "http://localhost:7446"


@dataclass(frozen=True)
class Gateway:
    """A gateway that is being served at a socket."""

    settings: Settings
    address: str

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return Path(urlsplit(self.address).path)

    def key(self, name: str) -> str:
        """Return the secret of a built-in key."""
        return (self.settings.keys_dir / f"{name}.key").read_text().strip()

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        """Return a client that sends this key."""
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        transport = httpx.AsyncHTTPTransport(uds=str(self.socket), verify=False)  # certificates take time to read
        return httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, timeout=20)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to write raw bytes to."""
        return await asyncio.open_unix_connection(self.socket)

    async def answer_to(self, request: bytes) -> bytes:
        """Return all that comes back for raw bytes; they must make the gateway hang up."""
        reader, writer = await self.connect()
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE):
                return await reader.read()
        finally:
            writer.close()


@asynccontextmanager
async def serving(app: ASGIApp, address: str, protocol: type[GuardedProtocol] = GuardedProtocol) -> AsyncIterator[None]:
    """Serve an application at a unix socket."""
    one = server(app, address)
    one.config.http = protocol
    task = asyncio.create_task(one.serve())
    try:
        await until(lambda: one.started or task.done())
        assert one.started, "the server did not start; see the captured log"
        yield
    finally:
        one.should_exit = True
        await task


@asynccontextmanager
async def serving_gateway(
    settings: Settings, clock: Clock, protocol: type[GuardedProtocol] = GuardedProtocol, name: str = "gateway"
) -> AsyncIterator[Gateway]:
    """Serve a gateway beside its data folder."""
    address = f"unix://{settings.home.parent}/{name}.sock"
    async with serving(create_app(settings, clock), address, protocol):
        yield Gateway(settings, address)


async def make_key(admin: httpx.AsyncClient, scopes: Iterable[Scope], **more: object) -> dict[str, str]:
    """Make a key and return it, its secret under `secret`."""
    answer = await admin.post("/v1/keys", json={"name": "test", "scopes": sorted(scopes), **more})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def until(condition: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Wait until a condition holds.

    Raises:
        TimeoutError: it does not come to hold.
    """
    async with asyncio.timeout(patience):
        while not condition():
            await asyncio.sleep(0.005)
