"""A service that says what reached it and streams as tests tell it to, in the place of a real one."""

import asyncio
from dataclasses import dataclass, field

import orjson
from starlette.types import Message, Receive, Scope, Send


@dataclass
class Echo:
    """An ASGI application. The last part of a request's path says how it is answered."""

    started: asyncio.Event = field(default_factory=asyncio.Event)
    """A request has arrived."""
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """The caller hung up."""
    proceed: asyncio.Event = field(default_factory=asyncio.Event)
    """A stream goes on."""
    received: list[bytes] = field(default_factory=list)
    """Pieces of bodies, as they came in."""

    def forget(self) -> None:
        """Be as new."""
        for event in (self.started, self.left, self.proceed):
            event.clear()
        self.received.clear()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in the way its path names."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        self.started.set()
        way = {"silent": self._stay_silent, "stream": self._stream, "slow_unary": self._slow_unary}
        await way.get(scope["path"].rpartition("/")[2], self._tell)(scope, receive, send)

    async def _tell(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._read(receive)
        told = {
            "method": scope["method"],
            "target": (scope["raw_path"] + b"?" + scope["query_string"]).decode(),
            "headers": [[name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]],
            "body": body.decode("latin-1"),
        }
        headers = [
            (b"content-type", b"application/json"),
            (b"connection", b"x-internal"),
            (b"x-internal", b"of this hop"),
            (b"keep-alive", b"timeout=5"),
            (b"set-cookie", b"a=1"),
            (b"set-cookie", b"b=2"),
            (b"x-kept", b"end to end"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": orjson.dumps(told)})

    async def _stay_silent(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._wait_for_leaving(receive)

    async def _slow_unary(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._read(receive)
        await self._wait_for_leaving(receive)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"data: first\n\n", "more_body": True})
        leaving = asyncio.create_task(self._wait_for_leaving(receive))
        going_on = asyncio.create_task(self.proceed.wait())
        await asyncio.wait({leaving, going_on}, return_when=asyncio.FIRST_COMPLETED)
        leaving.cancel()
        going_on.cancel()
        await asyncio.gather(leaving, going_on, return_exceptions=True)
        await send({"type": "http.response.body", "body": b"data: last\n\n"})

    async def _read(self, receive: Receive) -> bytes:
        whole = b""
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return whole
            more = message.get("more_body", False)
            self.received.append(message["body"])
            whole += message["body"]
        return whole

    async def _wait_for_leaving(self, receive: Receive) -> None:
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await receive()
        self.left.set()


async def _live(receive: Receive, send: Send) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
