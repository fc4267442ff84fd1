"""A way to a server that tests can cut and mend."""

import asyncio
from pathlib import Path


class Wire:
    """Carries bytes between a unix socket of its own and a server's."""

    def __init__(self, here: Path, there: Path) -> None:
        self._here = here
        self._there = there
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()

    async def mend(self) -> None:
        """Carry, from now on."""
        self._server = await asyncio.start_unix_server(self._connect, self._here)

    async def cut(self) -> None:
        """Break every connection and take no new one."""
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()
        self._here.unlink(missing_ok=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(self._there)
        self._ends |= {writer, far_writer}
        await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
        self._ends -= {writer, far_writer}


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        return
    finally:
        writer.close()
