"""The door: what every request has to pass before anything else looks at it. Pure ASGI, nothing is buffered."""

import re
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shim_common.contracts.problems import Problem
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import BadInput, Forbidden, RateLimited, ShimError, TooLarge, Unauthorized
from shim_common.web import problems
from shim_common.web.tokens import Caller
from shim_gateway.domain.failures import Failures
from shim_gateway.domain.origins import Origins
from shim_gateway.metrics import Metrics

CALLER = "shim.caller"
"""Where the scope holds who is asking."""
STILL_HOLDS = "shim.still_holds"
"""Where the scope holds what tells whether the key still opens anything."""
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
HEADER_LIMIT = 32 * 1024
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
_BINARY_PREFIX = "/v1/blobs/"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REFUSED_FOR = {
    "bad_host": "host",
    "misdirected": "host",
    "foreign_origin": "origin",
    "headers_too_large": "headers",
    "too_large": "body",
    "not_json": "media_type",
    "encoded_body": "encoding",
    "unauthorized": "key",
    "too_many_failures": "too_many_failures",
}
"""Code of a problem -> label of the metric; other problems are not the door's."""

Authenticate = Callable[[str], Awaitable[Caller]]


class Misdirected(ShimError):
    """The Host header names somebody else."""

    status, code, title = 421, "misdirected", "Not for this server"


class HeadersTooLarge(ShimError):
    """The headers are over the limit."""

    status, code, title = 431, "headers_too_large", "Headers too large"


class NotJson(ShimError):
    """The body is not of a type that is taken."""

    status, code, title = 415, "not_json", "Media type not taken"


class Door:
    """Checks host, origin, sizes, media type and key; puts the caller into the scope."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        authenticate: Authenticate,
        origins: Origins,
        clock: Clock,
        metrics: Metrics,
        body_limit: int,
    ) -> None:
        self._app = app
        self._authenticate = authenticate
        self._origins = origins
        self._clock = clock
        self._metrics = metrics
        self._body_limit = body_limit
        self._failures = Failures()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or turn it away with a problem."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return
        request_id = _request_id(scope)
        answer = _Answer(send, request_id)
        limited = _LimitedBody(receive, self._body_limit)
        try:
            await self._admit(scope)
            await self._app(scope, limited, answer)
        except ShimError as error:
            if error.problem_code in _REFUSED_FOR:
                self._metrics.refused.labels(_REFUSED_FOR[error.problem_code]).inc()
            await _turn_away(error, scope, answer, request_id)

    async def _admit(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        self._check_headers(scope, headers)
        self._check_body(scope, headers)
        if scope["path"] in OPEN_PATHS:
            return
        scope[CALLER] = await self._caller(scope, headers)

    def _check_headers(self, scope: Scope, headers: Headers) -> None:
        if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_LIMIT:
            raise HeadersTooLarge(f"the headers have more than {HEADER_LIMIT} bytes")
        hosts = headers.getlist("host")
        if len(hosts) != 1:
            raise BadInput("a request has exactly one Host header", code="bad_host")
        if not self._origins.takes_host(hosts[0]):
            raise Misdirected("this server does not go by that Host; SHIM_HOSTS adds names")
        if any(not self._origins.takes_origin(origin) for origin in headers.getlist("origin")):
            raise Forbidden("pages of this Origin may not call SHIM", code="foreign_origin")

    def _check_body(self, scope: Scope, headers: Headers) -> None:
        length = headers.get("content-length", "")
        if length and (not length.isdigit() or int(length) > self._body_limit):
            raise TooLarge(f"the body may have {self._body_limit} bytes; send less at once")
        if headers.get("content-encoding", "identity") != "identity":
            raise NotJson("compressed bodies are not taken; send it as it is", code="encoded_body")
        has_body = bool(length and int(length)) or "transfer-encoding" in headers
        if scope["method"] in _WITH_BODY and has_body:
            wanted = "application/octet-stream" if scope["path"].startswith(_BINARY_PREFIX) else "application/json"
            given = headers.get("content-type", "").partition(";")[0].strip().lower()
            if given not in (wanted, "application/json"):
                raise NotJson(f"the body must be {wanted}")

    async def _caller(self, scope: Scope, headers: Headers) -> Caller:
        address = scope["client"][0] if scope.get("client") else "local"
        now = self._clock.monotonic()
        wait = self._failures.wait(address, now)
        secret = _secret(headers)
        if wait and secret is None:
            raise RateLimited("too many requests without a valid key", code="too_many_failures", retry_after=wait)
        try:
            if secret is None:
                raise Unauthorized("send a key as `Authorization: Bearer ...`; keys lie in the data folder under keys/")
            caller = await self._authenticate(secret)
            scope[STILL_HOLDS] = partial(self._still_holds, secret)
            return caller
        except Unauthorized:
            self._failures.add(address, now)
            if wait:
                raise RateLimited("too many wrong keys", code="too_many_failures", retry_after=wait) from None
            raise

    async def _still_holds(self, secret: str) -> bool:
        try:
            await self._authenticate(secret)
        except Unauthorized:
            return False
        return True


class _Answer:
    """Passes the answer on with the request's id, and remembers whether it has begun."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.has_begun = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers["x-request-id"] = self._request_id
            headers["x-content-type-options"] = "nosniff"
            headers.setdefault("cache-control", "no-store")
            message["headers"] = headers.raw
        await self._send(message)


class _LimitedBody:
    """Passes a body on until it is over the limit; chunked ones do not say so beforehand."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._seen = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._seen += len(message.get("body", b""))
            if self._seen > self._limit:
                raise TooLarge(f"the body may have {self._limit} bytes; send less at once")
        return message


async def _turn_away(error: ShimError, scope: Scope, answer: _Answer, request_id: str) -> None:
    if answer.has_begun:
        return
    problem: Problem = problems.problem_of(error, scope["path"], request_id)
    headers = problems.retry_headers(error)
    if isinstance(error, Unauthorized):
        headers["www-authenticate"] = "Bearer"

    async def nothing_more() -> Message:
        return {"type": "http.disconnect"}

    with suppress(OSError):
        await problems.respond(problem, headers)(scope, nothing_more, answer)


def _secret(headers: Headers) -> str | None:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return headers.get("x-api-key")


def _request_id(scope: Scope) -> str:
    """Return the caller's request id where it is harmless, else a new one; it travels on in the headers."""
    given = Headers(scope=scope).get("x-request-id", "")
    request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    kept = [(name, value) for name, value in scope["headers"] if name != b"x-request-id"]
    scope["headers"] = [*kept, (b"x-request-id", request_id.encode())]
    return request_id
