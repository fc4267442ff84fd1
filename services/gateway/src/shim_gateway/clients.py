"""The services behind the gateway: one keep-alive session each, over a unix socket or TCP."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp

_CONNECTIONS = 200
_CONNECT_SECONDS = 2.0


@dataclass
class Service:
    """A service and the way to it. `open` before use, `close` at the end."""

    name: str
    address: str
    _session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make ready to talk; nothing is connected yet."""
        url = urlsplit(self.address)
        if url.scheme == "unix":
            connector: aiohttp.BaseConnector = aiohttp.UnixConnector(path=url.path, limit=_CONNECTIONS)
        else:
            connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
        self._session = aiohttp.ClientSession(
            connector=connector,
            auto_decompress=False,
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def close(self) -> None:
        """Hang up."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session.

        Raises:
            RuntimeError: `open` was not called.
        """
        if self._session is None:
            raise RuntimeError(f"the way to {self.name} is not open")
        return self._session

    def url(self, path_and_query: str) -> str:
        """Return the address of a path at this service."""
        base = "http://service" if self.address.startswith("unix:") else self.address.rstrip("/")
        return base + path_and_query

    async def is_ready(self) -> bool:
        """Whether the service answers and does not say that it is not ready."""
        try:
            async with self.session.get(self.url("/readyz"), timeout=aiohttp.ClientTimeout(total=2)) as answer:
                return answer.status < 500
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False
