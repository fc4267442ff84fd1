"""One OpenAPI document for all services, with what the door itself can answer."""

from collections.abc import Iterable

from shim_common.contracts.base import JsonObject
from shim_common.kernel.errors import BadInput, Forbidden, RateLimited, ShimError, TooLarge, Unauthorized, Unavailable
from shim_common.web.problems import MEDIA_TYPE
from shim_gateway.api.door import OPEN_PATHS, HeadersTooLarge, Misdirected, NotJson

_TO_ALL: tuple[type[ShimError], ...] = (BadInput, Forbidden, TooLarge, NotJson, Misdirected, HeadersTooLarge)
_BEFORE_KEYS: tuple[type[ShimError], ...] = (Unauthorized, RateLimited, Unavailable)
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def merged(own: JsonObject, others: Iterable[JsonObject]) -> JsonObject:
    """Return one document for all; names of schemas are shared contracts, so equal names are equal schemas."""
    paths, schemas = dict(own["paths"]), dict(own["components"]["schemas"])
    for other in others:
        paths.update(other["paths"])
        schemas.update(other["components"]["schemas"])
    return {
        **own,
        "paths": {
            path: {method: _through_the_door(path, operation) for method, operation in methods.items()}
            for path, methods in paths.items()
        },
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
    }


def _through_the_door(path: str, operation: JsonObject) -> JsonObject:
    """Return the operation with the errors that the door adds, and with the key that it asks for."""
    is_open = path in OPEN_PATHS
    errors = _TO_ALL if is_open else _TO_ALL + _BEFORE_KEYS
    refusals = {str(error.status): {"description": error.title, "content": _PROBLEM} for error in errors}
    answers = {status: _as_sent(response) for status, response in operation["responses"].items()}
    return {**operation, **({"security": []} if is_open else {}), "responses": {**refusals, **answers}}


def _as_sent(response: JsonObject) -> JsonObject:
    """Return a response under the media type it has: FastAPI documents the schema of every error as JSON."""
    return {**response, "content": _PROBLEM} if MEDIA_TYPE in response.get("content", {}) else response
