"""Decodes JSON into values that every store takes: UTF-8 text, Postgres jsonb, 64-bit integers.

Valid JSON can say things that those refuse. They are replaced, and each replacement is counted:

| in the text | becomes | because |
|---|---|---|
| `\\u0000` | U+FFFD | Postgres text and jsonb hold no NUL |
| half of a surrogate pair | U+FFFD | it has no UTF-8 form |
| NaN, Infinity, a float beyond double | null | they are not JSON |
| an integer beyond 64 bits | its digits as a string | most decoders refuse or round it |
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 128
"""Levels of nesting. Real lines have at most 12; pydantic refuses JSON deeper than 200, and a line
travels wrapped in an envelope."""

REPLACEMENT = "\ufffd"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED_UNSTORABLE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_INT64 = range(-(2**63), 2**63)
_INT64_DIGITS = 20

JsonObject = dict[str, Any]


class TooDeepError(ValueError):
    """The value nests deeper than `MAX_DEPTH`."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A value, where its text ended, and how many things in it were replaced."""

    value: object
    end: int
    repaired: int


def decode(text: str, start: int = 0) -> Decoded:
    """Decode the JSON value that begins at `start`; what follows it is not looked at.

    Raises ValueError where there is none, TooDeepError where it nests too deep.
    """
    repairs = _Repairs()
    try:
        value, end = repairs.decoder.raw_decode(text, start)
    except RecursionError as error:
        raise TooDeepError from error
    if _may_be_deep(text, start, end) and _is_deeper(value, MAX_DEPTH):
        raise TooDeepError
    if _has_escaped_unstorable(text, start, end):
        value = repairs.cleaned(value)
    return Decoded(value, end, repairs.count)


class _Repairs:
    """Replaces what cannot be stored, and counts."""

    def __init__(self) -> None:
        self.count = 0
        self.decoder = json.JSONDecoder(parse_int=self._integer, parse_float=self._float, parse_constant=self._constant)

    def cleaned(self, value: object) -> object:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.cleaned(item) for item in value]
        if isinstance(value, dict):
            return {self._text(key): self.cleaned(item) for key, item in value.items()}
        return value

    def _text(self, text: str) -> str:
        clean, replaced = _UNSTORABLE.subn(REPLACEMENT, text)
        self.count += replaced
        return clean

    def _integer(self, digits: str) -> int | str:
        if len(digits) <= _INT64_DIGITS and (number := int(digits)) in _INT64:
            return number
        self.count += 1
        return digits

    def _float(self, digits: str) -> float | None:
        number = float(digits)
        if math.isfinite(number):
            return number
        self.count += 1
        return None

    def _constant(self, _name: str) -> None:
        self.count += 1


def _has_escaped_unstorable(text: str, start: int, end: int) -> bool:
    """Cheap sieve: most lines have no such escape, and need no walk through their values."""
    return text.find("\\u", start, end) >= 0 and _ESCAPED_UNSTORABLE.search(text, start, end) is not None


def _may_be_deep(text: str, start: int, end: int) -> bool:
    return text.count("{", start, end) + text.count("[", start, end) > MAX_DEPTH


def _is_deeper(value: object, limit: int) -> bool:
    level = [value]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
        if not level:
            return False
    return True


def _children(value: object) -> list[object]:
    if isinstance(value, dict):
        return [child for child in value.values() if isinstance(child, dict | list)]
    if isinstance(value, list):
        return [child for child in value if isinstance(child, dict | list)]
    return []
