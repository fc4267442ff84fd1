"""Real stores and services for benches, in a private folder, gone afterwards."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from shim_common.testing.servers import PostgresServer, kept_store

_PORT = 17_460


@dataclass(frozen=True)
class Stores:
    """A Postgres and a Valkey of the bench's own."""

    postgres: PostgresServer
    redis_url: str
    home: Path

    @contextmanager
    def database(self) -> Iterator[str]:
        """Lend the address of an empty database."""
        url = self.postgres.create_database("template1")
        try:
            yield url
        finally:
            self.postgres.drop_database(url)


@contextmanager
def stores() -> Iterator[Stores]:
    """Start both stores."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shim-bench-")))
        os.environ["HOME"] = str(home)
        server = PostgresServer(stack.enter_context(kept_store("postgres")).url)
        stack.callback(server.close)
        yield Stores(server, stack.enter_context(kept_store("valkey")).url, home)


class Door:
    """A keep-alive connection to a running gateway."""

    def __init__(self, key: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=30)
        self._headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[float, bytes]:
        """Send a request; return the seconds it took and the answer.

        Raises:
            RuntimeError: the answer is an error.
        """
        start = time.perf_counter()
        self._connection.request(method, path, body, self._headers)
        response = self._connection.getresponse()
        answer = response.read()
        seconds = time.perf_counter() - start
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:300]!r}")
        return seconds, answer


@contextmanager
def door(own: Stores, database_url: str, parameters: dict[str, float]) -> Iterator[Door]:
    """Start the checkpointer and the gateway as processes; lend a way in."""
    home = own.home / "data"
    environment = {
        **os.environ,
        "SHIM_HOME": str(home),
        "DATABASE_URL": database_url,
        "REDIS_URL": f"{own.redis_url}?db=9",
        "SHIM_CHECKPOINTER_URL": f"unix://{own.home}/c.sock",
        "SHIM_MCP_URL": f"unix://{own.home}/m.sock",
        "SHIM_BIND": f"127.0.0.1:{_PORT}",
        "SHIM_PARAMETERS": orjson.dumps(parameters).decode(),
    }
    processes = [
        subprocess.Popen([sys.executable, "-m", module], env=environment)
        for module in ("shim_checkpointer", "shim_gateway")
    ]
    try:
        yield _wait(home)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(20)


def _wait(home: Path) -> Door:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            way_in = Door((home / "keys" / "admin.key").read_text().strip())
            way_in.call("GET", "/v1/parameters")
        except (OSError, RuntimeError, http.client.HTTPException):
            time.sleep(0.1)
        else:
            return way_in
    raise RuntimeError("the services did not come up in 60 s")
