"""Stands between a client's hooks and SHIM and writes down what SHIM has acknowledged; kills at that very moment."""

import asyncio
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from aiohttp import ClientSession, web

from .log import Log

Json = dict[str, Any]

LARGEST_BODY = 64 * 2**20
PASSED_ON = ("authorization", "content-type", "x-shim-client-pid")
BACKLOG = 64


@dataclass(frozen=True)
class Acknowledged:
    """A hook that SHIM has taken: what the client told, and what SHIM said to that (empty where nothing)."""

    event: str
    payload: Json
    answer: Json

    @property
    def session(self) -> str:
        """The client's id of the session."""
        return str(self.payload["session_id"])

    @property
    def context(self) -> str:
        """What SHIM puts before the model."""
        return str((self.answer.get("hookSpecificOutput") or {}).get("additionalContext", ""))


@dataclass(frozen=True)
class Strike:
    """What to do once an event was acknowledged, and how many seconds later."""

    event: str
    kill: Callable[[], None]
    late: float


def listen() -> socket.socket:
    """Return a listening socket on loopback, to be shared by the journals of one run of tests, one at a time."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
    listening.setblocking(False)  # noqa: FBT003 - the library's own signature
    return listening


class Journal:
    """The stand-in: `async with Journal(stack.url, door) as journal`, with hooks connected to the door's port.

    `acknowledged` grows as SHIM answers with success, `refused` with its other answers to whole payloads: a client that
    dies while it starts a hook leaves it with half of one, or none.
    """

    def __init__(self, shim: str, door: socket.socket) -> None:
        """Hand everything on to SHIM at the address `shim`."""
        self.acknowledged: Log[Acknowledged] = Log("acknowledged hooks", lambda hook: hook.event)
        self.refused: list[str] = []
        self.url = f"http://127.0.0.1:{door.getsockname()[1]}"
        self._shim = shim
        self._door = door
        self._strikes: dict[str, Strike] = {}
        self._http: ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/v1/hooks/claude-code/{event}", self._take)
        self._http = ClientSession(trust_env=False)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.SockSite(self._runner, self._door.dup()).start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()
        if self._http:
            await self._http.close()

    def of(self, session: str) -> list[Acknowledged]:
        """Return what was acknowledged of a session by now, in order."""
        return [hook for hook in self.acknowledged if hook.session == session]

    def strike(self, session: str, event: str, kill: Callable[[], None], late: float = 0.0) -> None:
        """Call `kill` as soon as SHIM has acknowledged the session's next `event`, or `late` seconds after that."""
        self._strikes[session] = Strike(event, kill, late)

    async def _take(self, request: web.Request) -> web.Response:
        event, body = request.match_info["event"], await request.read()
        headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
        if self._http is None:
            raise RuntimeError("use the journal inside `async with`")
        async with self._http.post(self._shim + request.path, data=body, headers=headers) as response:
            answer = await response.read()
            if response.ok:
                self._write(Acknowledged(event, json.loads(body), json.loads(answer or b"{}")))
            elif _is_json(body):
                self.refused.append(f"{event}: {response.status} {answer.decode(errors='replace')}")
            return web.Response(status=response.status, body=answer, content_type=response.content_type)

    def _write(self, hook: Acknowledged) -> None:
        self.acknowledged.append(hook)
        strike = self._strikes.get(hook.session)
        if strike is None or strike.event != hook.event:
            return
        del self._strikes[hook.session]
        if strike.late:
            asyncio.get_running_loop().call_later(strike.late, strike.kill)
        else:
            strike.kill()


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
