"""Whether an address answers: one plain HTTP request, over TCP or a unix socket."""

import asyncio
from urllib.parse import urlsplit

ANSWER_SECONDS = 2.0


async def answers(address: str, path: str) -> bool:
    """Whether GET `path` at `address` (`unix:///path/to.sock` or `http://host:port`) is answered with 200."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await _connect(address)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                return (await reader.readline()).split()[1:2] == [b"200"]
            finally:
                writer.close()
    except OSError:  # TimeoutError is one
        return False


async def _connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    url = urlsplit(address)
    if url.scheme == "unix":
        return await asyncio.open_unix_connection(url.path)
    return await asyncio.open_connection(url.hostname, url.port)
