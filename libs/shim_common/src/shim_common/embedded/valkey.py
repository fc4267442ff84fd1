"""Embedded Valkey: the stack's Redis on a unix socket.

Its append-only file is written every second, so at most the last second is lost in a power cut; everything in
it can be made anew from Postgres. When its memory is full it refuses writes rather than drop unread events.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from shim_common.embedded.binaries import valkey_binary
from shim_common.embedded.cluster import CLEAN_ENVIRONMENT
from shim_common.embedded.program import Program, until

SOCKET = "valkey.sock"
DATABASES = 16
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "port": "0",
        "protected-mode": "yes",
        "unixsocketperm": "700",
        "databases": str(DATABASES),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": "256mb",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
)


@dataclass(frozen=True)
class Valkey:
    """A server: its program, the folder of its data and the folder of its socket."""

    binary: Path
    data: Path
    run_folder: Path

    @property
    def socket(self) -> Path:
        """The socket it listens on."""
        return self.run_folder / SOCKET

    def url(self, database: int = 0) -> str:
        """The address of logical database `database`, 0 to 15, for redis-py and arq."""
        query = f"?db={database}" if database else ""
        return f"unix://{self.socket}{query}"

    def program(self, name: str = "valkey") -> Program:
        """The server as a child process; the first start makes its folder."""
        return Program(
            name=name,
            argv=self._argv(),
            env=CLEAN_ENVIRONMENT,
            prepare=self.prepare,
            ready=self.wait_until_ready,
        )

    async def prepare(self) -> None:
        """Make the folder of its data."""
        self.data.mkdir(mode=0o700, exist_ok=True)

    async def wait_until_ready(self) -> None:
        """Return when it answers, its data loaded. Waits as long as it takes."""
        await until(self._answers)

    def _argv(self) -> list[str]:
        settings = {**SETTINGS, "dir": str(self.data), "unixsocket": str(self.socket)}
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        return [str(self.binary), *options]

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self.socket)
        except OSError:
            return False
        try:
            writer.write(b"PING\r\n")
            return await reader.readline() == b"+PONG\r\n"  # -LOADING while it reads its file
        except ConnectionError:
            return False
        finally:
            writer.close()


def embedded_valkey(data: Path, run_folder: Path) -> Valkey:
    """The server for the data in `data`. Raises BinariesMissingError."""
    return Valkey(valkey_binary(), data, run_folder)
