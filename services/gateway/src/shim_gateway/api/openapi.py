"""One OpenAPI document for all services, with what the door itself can answer."""

from collections.abc import Iterable

from shim_common.contracts.base import JsonObject
from shim_common.kernel.errors import BadInput, Forbidden, RateLimited, TooLarge, Unauthorized, Unavailable
from shim_common.web.problems import MEDIA_TYPE, documented
from shim_gateway.api.door import OPEN_PATHS, HeadersTooLarge, Misdirected, NotJson

_PROBLEM = {"schema": {"$ref": "#/components/schemas/Problem"}}
_OF_ALL = (BadInput, Forbidden, TooLarge, NotJson, Misdirected, HeadersTooLarge)
_OF_THOSE_WITH_A_KEY = (Unauthorized, RateLimited, Unavailable)


def merged(own: JsonObject, others: Iterable[JsonObject]) -> JsonObject:
    """Return one document for all; names of schemas are shared contracts, so equal names are equal schemas."""
    paths, schemas = dict(own["paths"]), dict(own["components"]["schemas"])
    for other in others:
        paths.update(other.get("paths", {}))
        schemas.update(other.get("components", {}).get("schemas", {}))
    return {
        **own,
        "paths": {path: _through_the_door(path, methods) for path, methods in paths.items()},
        "components": {"schemas": schemas, "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}},
        "security": [{"key": []}],
    }


def _through_the_door(path: str, methods: JsonObject) -> JsonObject:
    is_open = path in OPEN_PATHS
    errors = documented(*_OF_ALL, *(() if is_open else _OF_THOSE_WITH_A_KEY))
    at_the_door = {str(status): {"description": error["description"]} for status, error in errors.items()}
    return {
        method: {
            **operation,
            **({"security": []} if is_open else {}),
            "responses": {
                status: _as_problem(response) if int(status) >= 400 and "model" not in response else response
                for status, response in {**at_the_door, **operation["responses"]}.items()
            },
        }
        for method, operation in methods.items()
    }


def _as_problem(response: JsonObject) -> JsonObject:
    """Return the documented error as it is sent; FastAPI puts every schema under application/json."""
    return {**response, "content": {MEDIA_TYPE: _PROBLEM}}
