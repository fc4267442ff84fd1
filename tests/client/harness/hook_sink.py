"""A server that takes the client's hooks and answers at once: the cheapest a hook can be, and a record of what came."""

import asyncio
import json
import time
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .log import Log


class Manner(Enum):
    """How the sink treats a hook."""

    ANSWER = "answer"  # 204 at once
    HANG = "hang"  # never
    DENY = "deny"  # 401
    FAIL = "fail"  # 500


@dataclass(frozen=True)
class Hook:
    """One hook as received. `at` is in seconds since the sink started; `peer` is the connection's other port."""

    at: float
    event: str
    payload: dict[str, Any]
    headers: dict[str, str]
    peer: int


class HookSink:
    """The server: `async with HookSink() as sink`, then point hooks at `sink.url`, SHIM's own at `sink.origin`.

    `received` grows as hooks arrive, `answered` once their answer has been written to the socket.
    """

    def __init__(self, manner: Manner = Manner.ANSWER) -> None:
        self.manner = manner
        self.received: Log[Hook] = Log("hooks received", lambda hook: hook.event)
        self.answered: Log[Hook] = Log("hooks answered", lambda hook: hook.event)
        self.port = 0
        self._started = time.monotonic()
        self._leaving = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address hooks are posted to; the event's name is in the payload."""
        return f"{self.origin}/hooks"

    @property
    def origin(self) -> str:
        """The server's address, to be taken for SHIM's."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/hooks", self._take)
        app.router.add_post("/v1/hooks/claude-code/{event}", self._take)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving.set()
        if self._runner:
            await self._runner.cleanup()

    async def _take(self, request: web.Request) -> web.StreamResponse:
        at = round(time.monotonic() - self._started, 4)
        payload = json.loads(await request.read())
        headers = {name.lower(): value for name, value in request.headers.items()}
        peer = request.transport.get_extra_info("peername")[1] if request.transport else 0
        hook = Hook(at, str(payload.get("hook_event_name")), payload, headers, peer)
        self.received.append(hook)
        if self.manner is Manner.HANG:
            await self._leaving.wait()
        status = {Manner.DENY: 401, Manner.FAIL: 500}.get(self.manner, 204)
        response = web.Response(status=status)
        await response.prepare(request)
        await response.write_eof()
        self.answered.append(hook)
        return response
