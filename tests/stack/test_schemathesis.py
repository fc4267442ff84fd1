"""Requests that a machine makes up from the OpenAPI document: none breaks anything, every answer is documented."""

import asyncio
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS

from shim_checkpointer.app import create_app as create_checkpointer
from shim_checkpointer.settings import Settings as CheckpointerSettings
from shim_common.testing.servers import PostgresServer, ValkeyServer
from shim_common.web.serve import server
from shim_gateway.app import create_app as create_gateway
from shim_gateway.settings import Settings as GatewaySettings

ENDLESS = "/v1/events/stream"


class Pair:
    """A gateway and a checkpointer, served by a thread."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="pair")
        self.url = ""

    @property
    def key(self) -> str:
        """The admin key."""
        return (self._settings.keys_dir / "admin.key").read_text()

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()
        assert self._up.wait(30), "the pair does not come up; see the captured log"

    def stop(self) -> None:
        """Serve no more."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    async def _serve(self) -> None:
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        theirs = CheckpointerSettings.model_validate(self._settings.model_dump(include={"home", "database_url", "redis_url"}))
        gateway = server(create_gateway(self._settings), "http://127.0.0.1:0")
        checkpointer = server(create_checkpointer(theirs), self._settings.checkpointer_url)
        serving = [asyncio.create_task(one.serve()) for one in (checkpointer, gateway)]
        while not (gateway.started and checkpointer.started):
            await asyncio.sleep(0.01)
        port = gateway.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._up.set()
        await self._stopping.wait()
        gateway.should_exit = checkpointer.should_exit = True
        await asyncio.gather(*serving)


@pytest.fixture(scope="module")
def pair(postgres_server: PostgresServer, valkey_server: ValkeyServer) -> Iterator[Pair]:
    url = postgres_server.create_database()
    with tempfile.TemporaryDirectory(prefix="shim-pair-") as folder:
        pair = Pair(
            GatewaySettings(
                home=Path(folder) / "home",
                database_url=url,
                redis_url=valkey_server.fresh_database(),
                checkpointer_url=f"unix://{folder}/checkpointer.sock",
                mcp_url=f"unix://{folder}/mcp.sock",
            )
        )
        pair.start()
        yield pair
        pair.stop()
    postgres_server.drop_database(url)


@pytest.fixture(scope="module")
def document(pair: Pair) -> schemathesis.BaseSchema:
    """What the gateway says that there is, the endless stream apart."""
    headers = {"authorization": f"Bearer {pair.key}"}
    return schemathesis.openapi.from_url(f"{pair.url}/openapi.json", headers=headers).exclude(path=ENDLESS)


schema = schemathesis.pytest.from_fixture("document")


@schema.parametrize()
@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_documented(case: schemathesis.Case, pair: Pair) -> None:
    case.call_and_validate(headers={"authorization": f"Bearer {pair.key}"})
