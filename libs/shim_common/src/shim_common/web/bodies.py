"""Request bodies: strict JSON, limits, and text that can be stored."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import JsonValue

from shim_common.kernel.errors import BadInput, Unprocessable

_ESCAPED_NUL = b"\\u0000"


class StrictRequest(Request):
    """A request whose JSON is parsed strictly: no NaN, no lone surrogates, no NUL, no bottomless nesting."""

    async def json(self) -> JsonValue:
        """Return the parsed body.

        Raises:
            BadInput: it is not JSON.
            Unprocessable: it holds a NUL character, which no text column can store.
        """
        if not hasattr(self, "_json"):
            self._json: JsonValue = parse(await self.body())
        return self._json


class StrictRoute(APIRoute):
    """A route that reads its body strictly."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler with the strict request put in."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return handle


def parse(raw: bytes) -> JsonValue:
    """Parse JSON strictly.

    Raises:
        BadInput: it is not JSON, or holds what JSON cannot (NaN, a lone surrogate, nesting over 1024).
        Unprocessable: it holds a NUL character.
    """
    try:
        value: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the body is not valid JSON: {error}", code="not_json") from error
    if _ESCAPED_NUL in raw and _holds_nul(value):
        raise Unprocessable("the body holds a NUL character, which cannot be stored; leave it out", code="nul")
    return value


def _holds_nul(value: JsonValue) -> bool:
    waiting: list[JsonValue] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str) and "\0" in item:
            return True
        if isinstance(item, dict):
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
    return False
