"""Passing requests on to services: one hop, streamed both ways, ended when the caller hangs up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Self, TypeVar

import aiohttp
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send
from yarl import URL

from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import ShimError, Unavailable
from shim_common.web.tokens import HEADER, LIFETIME, Caller, TokenMaker
from shim_gateway.api.door import CALLER
from shim_gateway.clients import Service
from shim_gateway.metrics import Metrics

_HOP_BY_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding "
    b"upgrade".split()
)
"""RFC 9110, section 7.6.1; the header `Connection` names more."""
_JUDGED_THERE = frozenset({b"host", b"authorization", b"x-api-key"})
"""What the MCP server looks at itself: it calls back with the caller's own key."""
_KEPT_BACK = _JUDGED_THERE | {HEADER.encode()}
Result = TypeVar("Result")


class Passing:
    """Passes what is under a prefix on to a service; the rest goes to the gateway's own application.

    `owners` names the service of each path; what nobody owns under `/v1/` is the `service`'s.
    """

    def __init__(
        self,
        own: ASGIApp,
        own_paths: Iterable[str],
        mcp: Service,
        service: Service,
        owners: Mapping[str, Service],
        tokens: "Tokens",
        metrics: Metrics,
    ) -> None:
        self._own = own
        self._own_paths = tuple(own_paths)
        self._mcp = mcp
        self._service = service
        self._owners = owners
        self._tokens = tokens
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, here or there."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(("/v1/", "/mcp/")) or self._is_own(path):
            await self._own(scope, receive, send)
        elif path.startswith("/mcp/"):
            await self._pass_on(self._mcp, scope, receive, send, keeps_key=True)
        else:
            await self._pass_on(self._owner(path), scope, receive, send, keeps_key=False)

    def _is_own(self, path: str) -> bool:
        return any(_is_under(path, own) for own in self._own_paths)

    def _owner(self, path: str) -> Service:
        return next((service for owned, service in self._owners.items() if _is_under(path, owned)), self._service)

    async def _pass_on(self, service: Service, scope: Scope, receive: Receive, send: Send, *, keeps_key: bool) -> None:
        headers = self._headers(scope, keeps_key=keeps_key)
        async with _Caller(receive, has_body=_has_body(scope)) as caller:
            with suppress(ClientDisconnect):
                await self._exchange(service, scope, headers, caller, send)

    async def _exchange(
        self, service: Service, scope: Scope, headers: list[tuple[str, str]], caller: "_Caller", send: Send
    ) -> None:
        request = service.session.request(
            scope["method"],
            URL(service.url(_target(scope)), encoded=True),
            headers=headers,
            data=caller.body() if caller.has_body else None,
            allow_redirects=False,
        )
        try:
            with self._metrics.service_seconds.labels(service.name).time():
                answer = await caller.unless_gone(request)
        except (aiohttp.ClientError, OSError) as error:
            raise caller.error or Unavailable(
                f"{service.name} is not answering; `shim status` shows why. Try again in a second", retry_after=1
            ) from error
        async with answer:
            self._metrics.passed_on.labels(service.name, f"{answer.status // 100}xx").inc()
            await _answer(answer, caller, send)

    def _headers(self, scope: Scope, *, keeps_key: bool) -> list[tuple[str, str]]:
        passed = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in _end_to_end(scope["headers"])
            if name not in _KEPT_BACK or (keeps_key and name in _JUDGED_THERE)
        ]
        return [*passed, (HEADER, self._tokens.of(scope[CALLER]))]


def _is_under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")


class Tokens:
    """Internal tokens, made anew when half of their life is over, or when the clock was set."""

    def __init__(self, maker: TokenMaker, clock: Clock) -> None:
        self._maker = maker
        self._clock = clock
        self._made: dict[Caller, tuple[datetime, str]] = {}

    def of(self, caller: Caller) -> str:
        """Return a token for the caller."""
        now = self._clock.now()
        made = self._made.get(caller)
        if made is None or not _is_young(made[0], now):
            self._made = {known: entry for known, entry in self._made.items() if _is_young(entry[0], now)}
            made = self._made[caller] = (now, self._maker.make(caller))
        return made[1]


def _is_young(made: datetime, now: datetime) -> bool:
    return timedelta(0) <= now - made <= timedelta(seconds=LIFETIME / 2)


class _Caller:
    """The caller's side: hands the body on, and notices when the caller hangs up in any phase."""

    def __init__(self, receive: Receive, *, has_body: bool) -> None:
        self._receive = receive
        self.has_body = has_body
        self.error: Exception | None = None
        self._is_read = asyncio.Event()
        if not has_body:
            self._is_read.set()

    async def __aenter__(self) -> Self:
        self._gone = asyncio.create_task(self._wait_until_gone())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._gone.cancel()
        await asyncio.gather(self._gone, return_exceptions=True)

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives."""
        try:
            more = True
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                more = message.get("more_body", False)
                if message.get("body"):
                    yield message["body"]
            self._is_read.set()
        except (ShimError, ClientDisconnect) as error:
            self.error = error
            raise

    async def unless_gone(self, work: Awaitable[Result]) -> Result:
        """Return what the work gives.

        Raises:
            ClientDisconnect: the caller hung up first; the work was cancelled.
        """
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._gone}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise ClientDisconnect
        finally:
            task.cancel()

    async def _wait_until_gone(self) -> None:
        await self._is_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            continue


async def _answer(answer: aiohttp.ClientResponse, caller: _Caller, send: Send) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": _end_to_end(answer.raw_headers)})
    while True:
        chunk = await caller.unless_gone(answer.content.readany())
        await send({"type": "http.response.body", "body": chunk, "more_body": bool(chunk)})
        if not chunk:
            return


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers that are not for one hop alone, their names in lower case."""
    lowered = [(name.lower(), value) for name, value in headers]
    listed = b",".join(value for name, value in lowered if name == b"connection").lower().split(b",")
    of_this_hop = _HOP_BY_HOP.union(name.strip() for name in listed)
    return [(name, value) for name, value in lowered if name not in of_this_hop]


def _has_body(scope: Scope) -> bool:
    names = dict(scope["headers"])
    return names.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in names


def _target(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope.get("query_string", b"")
    return (path + (b"?" + query if query else b"")).decode("latin-1")
