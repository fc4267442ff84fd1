"""The structlog processor that keeps secrets out of logs."""

from collections.abc import Mapping, MutableMapping
from typing import Any

from .tree import JsonValue, redact_json

_DEEPEST = 8
"""Nesting beyond which an event's values are logged by their `repr`."""


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
    """Return a log event as plain data without secrets; put it last, just before the renderer.

    Objects become their `repr` before they are searched, as the renderer would write them, so that none carries a
    secret past it. Tracebacks must be text by then (`structlog.processors.format_exc_info`).
    """
    plain = {key: _plain(value, _DEEPEST) for key, value in event.items()}
    redacted = redact_json(plain).value
    return redacted if isinstance(redacted, dict) else plain


def _plain(value: object, depth: int) -> JsonValue:
    if value is None or isinstance(value, str | int | float):
        return value
    if depth and isinstance(value, Mapping):
        return {str(key): _plain(item, depth - 1) for key, item in value.items()}
    if depth and isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, depth - 1) for item in value]
    return repr(value)
