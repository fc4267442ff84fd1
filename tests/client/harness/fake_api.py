"""A stand-in for the Anthropic Messages API on loopback that plays a script and shows what it was asked.

A request that offers tools is a step of the main conversation and takes the script's next step; every other request
(a title, a summary) gets a short fixed text. Past the end of the script the turn is ended with "Done.".
"""

import asyncio
import json
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from .log import Log
from .script import Point, Refusal, Reply, Step, Trouble, says
from .wire import BYTES_PER_TOKEN, Event, Json, Message, Usage, error_body

SIDE_ANSWER = says("A small webshop task")
LARGEST_BODY = 64 * 2**20
MODEL = "claude-opus-5-5"


@dataclass(frozen=True)
class Request:
    """One request as received. `at` is in seconds since the API started; `step` counts the main conversation from 1."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    body: Json
    step: int | None

    @property
    def session_id(self) -> str | None:
        """The client's session, from its header."""
        return self.headers.get("x-claude-code-session-id")


@dataclass(frozen=True)
class Sent:
    """One event of a stream that has been written to the client. `index` counts from 1 within the step."""

    step: int
    index: int
    event: str


class FakeApi:
    """The server: `async with FakeApi([...]) as api`, then give `api.url` to a client as ANTHROPIC_BASE_URL."""

    def __init__(self, script: Iterable[Step] = (), *, journal: Path | None = None, seed: str | None = None) -> None:
        """Play `script`. Append every request to `journal` (JSON lines); `seed` makes ids the same in every run."""
        self.requests: Log[Request] = Log("requests", lambda request: (request.method, request.path, request.step))
        self.sent: Log[Sent] = Log("events sent")
        self.url = ""
        self._script = iter(script)
        self._journal = journal
        self._seed = seed or str(uuid.uuid4())
        self._steps = 0
        self._context: dict[str | None, int] = {}
        self._released = asyncio.Event()
        self._started = time.monotonic()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count_tokens)
        app.router.add_get("/v1/models", self._models)
        app.router.add_route("*", "/{rest:.*}", self._other)
        # A client that leaves must end its handler, or a stalled answer would outlive it.
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._released.set()
        if self._runner:
            await self._runner.cleanup()

    async def step(self, n: int) -> Request:
        """Wait for the n-th request (from 1) of the main conversation."""
        return await self.requests.first(lambda request: request.step == n)

    async def streamed(self, step: int, index: int) -> Sent:
        """Wait until the `index`-th event (from 1) of the answer to `step` was written."""
        return await self.sent.first(lambda sent: (sent.step, sent.index) == (step, index))

    def play(self, script: Iterable[Step]) -> None:
        """Go on with `script` instead of what is left of the present one, and end the present stall."""
        self._script = iter(script)
        self.release()
        self._released = asyncio.Event()

    def release(self) -> None:
        """End every stall of the present script, also those still to come."""
        self._released.set()

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        seen = await self._record(request)
        reply = self._next() if seen.step else SIDE_ANSWER
        if isinstance(reply, Refusal):
            body = error_body(reply.kind, reply.message)
            return web.json_response(body, status=reply.status, headers=dict(reply.headers))
        await asyncio.sleep(reply.delay)
        if reply.fault and reply.fault.at is Point.HEADERS:
            await self._strike(request, reply)
        message = self._message(seen, reply)
        if not seen.body.get("stream"):
            return web.json_response(message.as_json(), headers={"request-id": message.request_id})
        return await self._stream(request, seen.step or 0, message)

    async def _stream(self, request: web.Request, step: int, message: Message) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "request-id": message.request_id})
        await response.prepare(request)
        fault = message.reply.fault
        for index, event in enumerate(message.as_events(), 1):
            await response.write(event.encode())
            self.sent.append(Sent(step, index, event.type))
            if fault and event.point is fault.at:
                if fault.trouble is Trouble.ERROR:
                    await response.write(Event(error_body(fault.error, "from the script")).encode())
                    break
                await self._strike(request, message.reply)
        await response.write_eof()
        return response

    async def _strike(self, request: web.Request, reply: Reply) -> None:
        if reply.fault and reply.fault.trouble is Trouble.STALL:
            await self._released.wait()
        elif request.transport:
            request.transport.close()
            raise asyncio.CancelledError

    def _next(self) -> Step:
        return next(self._script, says("Done."))

    def _message(self, seen: Request, reply: Reply) -> Message:
        # A side request shares the session's header but not its cached prefix.
        before = self._context.get(seen.session_id, 0) if seen.step else 0
        usage = Usage.of(seen.body, before, reply)
        if seen.step:
            self._context[seen.session_id] = usage.context
        token = f"{self._seed}:{len(self.requests)}"
        return Message(token, str(seen.body.get("model", MODEL)), reply, usage)

    async def _record(self, request: web.Request) -> Request:
        raw = await request.read()
        body: Json = json.loads(raw) if raw else {}
        step = None
        if request.path == "/v1/messages" and body.get("tools"):
            self._steps += 1
            step = self._steps
        headers = {name.lower(): value for name, value in request.headers.items()}
        at = round(time.monotonic() - self._started, 4)
        seen = Request(at, request.method, request.path_qs, headers, body, step)
        self._keep(seen)
        return seen

    def _keep(self, seen: Request) -> None:
        if self._journal:
            with self._journal.open("a") as journal:
                journal.write(json.dumps(asdict(seen)) + "\n")
        self.requests.append(seen)

    async def _count_tokens(self, request: web.Request) -> web.Response:
        seen = await self._record(request)
        return web.json_response({"input_tokens": len(json.dumps(seen.body)) // BYTES_PER_TOKEN})

    async def _models(self, request: web.Request) -> web.Response:
        await self._record(request)
        model = {"type": "model", "id": MODEL, "display_name": MODEL, "created_at": "2026-01-01T00:00:00Z"}
        return web.json_response({"data": [model], "has_more": False, "first_id": MODEL, "last_id": MODEL})

    async def _other(self, request: web.Request) -> web.Response:
        await self._record(request)
        if request.method == "HEAD":
            return web.Response()
        return web.json_response(error_body("not_found_error", "not found"), status=404)
