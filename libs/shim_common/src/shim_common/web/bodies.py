"""Request bodies: strict JSON, limits, and text that can be stored."""

from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import JsonValue
from starlette.exceptions import HTTPException

from shim_common.kernel.errors import BadInput, ShimError, Unprocessable

MOST_NESTING = 200
"""Levels of nesting that are taken. What is stored is written by orjson, which goes 254 levels deep; the deepest line
of a real transcript has 10."""
_ESCAPED_NUL = b"\\u0000"


class StrictRequest(Request):
    """A request whose JSON is parsed strictly: no NaN, no lone surrogates, no NUL, no bottomless nesting."""

    async def json(self) -> JsonValue:
        """Return the parsed body.

        Raises:
            BadInput: it is not JSON, or nested too deeply.
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
            try:
                return await handler(StrictRequest(request.scope, request.receive))
            except HTTPException as error:
                # FastAPI calls everything that goes wrong while a body is read an error of parsing; ours say more.
                if isinstance(error.__cause__, ShimError):
                    raise error.__cause__ from None
                raise

        return handle


def parse(raw: bytes) -> JsonValue:
    """Parse JSON strictly.

    Raises:
        BadInput: it is not JSON, holds what JSON cannot (NaN, a lone surrogate), or is nested too deeply.
        Unprocessable: it holds a NUL character.
    """
    try:
        value: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"the body is not valid JSON: {error}", code="not_json") from error
    if raw.count(b"[") + raw.count(b"{") > MOST_NESTING and _is_too_deep(value):
        raise BadInput(f"the body is nested more than {MOST_NESTING} levels deep", code="too_deep")
    if _ESCAPED_NUL in raw and _holds_nul(value):
        raise Unprocessable("the body holds a NUL character, which cannot be stored; leave it out", code="nul")
    return value


def _is_too_deep(value: JsonValue) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MOST_NESTING):
        items = (item.values() if isinstance(item, dict) else item for item in level)
        level = [inner for inners in items for inner in inners if isinstance(inner, (dict, list))]
        if not level:
            return False
    return True


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
