"""Redaction of JSON values."""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias, cast

from .assignments import is_secret_value
from .marker import Finding, finding_of
from .text import Plan, Redacted, plan_for, redact_by_plan

JsonValue: TypeAlias = "dict[str, JsonValue] | list[JsonValue] | str | int | float | bool | None"

_NAMED_RULE = "assigned-secret"


class RedactedJson(NamedTuple):
    """A JSON value without its secrets, and what was found in it."""

    value: JsonValue
    findings: tuple[Finding, ...]


class _StringSlot(NamedTuple):
    """A place in a container that holds a string, and the name of the field it belongs to."""

    container: Any  # dict or list of JSON values
    index: Any  # its key or position
    name: str


def redact_json(value: JsonValue) -> RedactedJson:
    """Return a copy of a JSON value with every secret in its strings replaced by a marker.

    Keys, their order and the lengths of lists stay. Where a key says that its value is secret, as `password` or
    `{"name": "API_KEY", "value": ...}` do, the value needs no recognisable form. Depth is bounded by memory alone.
    """
    root = [value]
    slots = list(_copied_strings(root))
    plan = plan_for("\n".join(slot.container[slot.index] for slot in slots))
    findings: list[Finding] = []
    for slot in slots:
        redacted = _redact_field(slot.name, slot.container[slot.index], plan)
        slot.container[slot.index] = redacted.text
        findings += redacted.findings
    return RedactedJson(root[0], tuple(findings))


def redact_object(document: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object without its secrets."""
    return cast("dict[str, Any]", redact_json(document).value)  # its shape stays


def _copied_strings(root: list[JsonValue]) -> Iterator[_StringSlot]:
    """Replace all containers below a list by copies; yield the places of strings in the copies, in reading order."""
    unread = [_StringSlot(root, 0, "")]
    while unread:
        slot = unread.pop()
        item = slot.container[slot.index]
        if isinstance(item, str):
            yield slot
        elif isinstance(item, dict):
            slot.container[slot.index] = fields = dict(item)
            unread += [_StringSlot(fields, key, _field_name(fields, key)) for key in reversed(fields)]
        elif isinstance(item, list):
            slot.container[slot.index] = items = list(item)
            unread += [_StringSlot(items, at, slot.name) for at in reversed(range(len(items)))]


def _field_name(fields: dict[str, JsonValue], key: str) -> str:
    """Return what a field is called, which for `value` may stand in the field `name` beside it."""
    name = fields.get("name") if key == "value" else key
    return name if isinstance(name, str) else key


def _redact_field(name: str, text: str, plan: Plan) -> Redacted:
    redacted = redact_by_plan(text, plan)
    if redacted.findings or not is_secret_value(name, text):
        return redacted
    finding = finding_of(_NAMED_RULE, text)
    return Redacted(finding.marker, (finding,))
