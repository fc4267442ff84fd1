"""Input schemas without what says nothing: the daily tools' schemas are part of every request to the model."""

from typing import Any

from shim_common.contracts.base import JsonObject

_NULL = {"type": "null"}


def compact(schema: JsonObject) -> JsonObject:
    """Return the schema without titles, and with what may be left out not also allowed to be null."""
    plain = {key: _compacted(key, value) for key, value in schema.items() if key != "title"}
    if plain.get("default", ...) is None:
        del plain["default"]
    given = [branch for branch in plain.get("anyOf", []) if branch != _NULL]
    if len(given) == 1:
        del plain["anyOf"]
        plain = {**given[0], **plain}
    return plain


def _compacted(key: str, value: Any) -> Any:  # noqa: ANN401 - a JSON value
    if key in {"properties", "$defs"}:
        return {name: compact(schema) for name, schema in value.items()}
    if isinstance(value, dict):
        return compact(value)
    if isinstance(value, list):
        return [compact(item) if isinstance(item, dict) else item for item in value]
    return value
