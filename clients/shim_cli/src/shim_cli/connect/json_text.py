"""JSON as a text that a person keeps: one value changes, every other byte stays as it is.

A settings file belongs to its owner, who may have laid it out by hand. Reading it and dumping it again would reorder
nothing but reformat everything, so changes are made in the text itself, at the place a path names: object keys and
array positions from the root, such as `("hooks", "Stop", 0)`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Step = str | int
Path = tuple[Step, ...]

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")
_DEFAULT_INDENT = "  "


class NotPlainJson(ValueError):
    """The text is not a JSON object that can be changed without losing something; the message says where."""


def parse(text: str) -> dict[str, Any]:
    """Return the object in the text; blank text is the empty object.

    Raises:
        NotPlainJson: comments, trailing commas, repeated keys, or no object at all.
    """
    if not text.strip():
        return {}
    try:
        value = json.loads(text, object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise NotPlainJson(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise NotPlainJson("it is nested too deeply") from None
    if not isinstance(value, dict):
        raise NotPlainJson("it holds no JSON object")
    return value


def put(text: str, path: Path, value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return the text with the value at the path, made there or replaced; missing objects on the way are made.

    An array position equal to the array's length appends.

    Raises:
        NotPlainJson: see `parse`.
        KeyError: the path leads through something that is not an object or array.
    """
    parse(text)
    if not text.strip():
        text = "{}\n"
    place = _Container.at(text, _root(text))
    for depth, step in enumerate(path[:-1]):
        child = place.find(step)
        if child is None:
            return place.with_added(step, _nested(path[depth + 1 :], value))
        place = _Container.at(text, child.value_start)
    child = place.find(path[-1])
    return place.with_added(path[-1], value) if child is None else place.with_replaced(child, value)


def drop(text: str, path: Path) -> str:
    """Return the text without the value at the path.

    Raises:
        NotPlainJson: see `parse`.
        KeyError: there is nothing at the path.
    """
    parse(text)
    place = _Container.at(text, _root(text))
    for step in path[:-1]:
        place = _Container.at(text, place.get(step).value_start)
    return place.without(place.get(path[-1]))


@dataclass(frozen=True)
class _Child:
    """A member of an object or an item of an array, as positions in the text."""

    step: Step
    start: int
    value_start: int
    end: int


@dataclass(frozen=True)
class _Container:
    """An object or array in the text: `start` is its opening bracket, `end` its closing one."""

    text: str
    start: int
    end: int
    children: tuple[_Child, ...]

    @classmethod
    def at(cls, text: str, start: int) -> "_Container":
        if text[start] not in "{[":
            raise KeyError(f"position {start} holds neither an object nor an array")
        scan = _members if text[start] == "{" else _items
        children = tuple(scan(text, _skip(text, start + 1)))
        end = _skip(text, children[-1].end if children else start + 1)
        return cls(text, start, end, children)

    def find(self, step: Step) -> _Child | None:
        if (self.text[self.start] == "{") is not isinstance(step, str):
            raise KeyError(step)
        return next((child for child in self.children if child.step == step), None)

    def get(self, step: Step) -> _Child:
        child = self.find(step)
        if child is None:
            raise KeyError(step)
        return child

    def with_added(self, step: Step, value: object) -> str:
        style = _Style.of(self.text)
        if self.children:
            lead = self.text[self._before(self.children[-1]) : self.children[-1].start]
            new = self._member(step, value, style, lead) if "\n" in lead else self._inline(step, value, style)
            lead = lead if "\n" in lead else lead or style.gap
            at = self.children[-1].end
            return f"{self.text[:at]},{lead}{new}{self.text[at:]}"
        if not style.indent:
            return f"{self.text[: self.start + 1]}{self._inline(step, value, style)}{self.text[self.end :]}"
        outer = style.newline + _indentation(self.text, self.start)
        lead = outer + style.indent
        return (
            f"{self.text[: self.start + 1]}{lead}{self._member(step, value, style, lead)}{outer}{self.text[self.end :]}"
        )

    def with_replaced(self, child: _Child, value: object) -> str:
        style = _Style.of(self.text)
        lead = self.text[self._before(child) : child.start]
        new = style.dump(value, lead) if "\n" in lead else style.dump_inline(value)
        return self.text[: child.value_start] + new + self.text[child.end :]

    def without(self, child: _Child) -> str:
        index = self.children.index(child)
        if len(self.children) == 1:
            return self.text[: self.start + 1] + self.text[self.end :]
        if index == 0:
            return self.text[: child.start] + self.text[self.children[1].start :]
        return self.text[: self.children[index - 1].end] + self.text[child.end :]

    def _before(self, child: _Child) -> int:
        """Where the blank before a child begins: after the opening bracket or the comma."""
        return len(self.text[: child.start].rstrip(" \t\r\n"))

    def _member(self, step: Step, value: object, style: "_Style", lead: str) -> str:
        return style.label(step) + style.dump(value, lead)

    def _inline(self, step: Step, value: object, style: "_Style") -> str:
        return style.label(step) + style.dump_inline(value)


@dataclass(frozen=True)
class _Style:
    """How the text is laid out, as far as its first member and its line ends tell."""

    indent: str
    newline: str
    colon: str
    gap: str
    escape: bool

    @classmethod
    def of(cls, text: str) -> "_Style":
        first = re.match(r"\s*\{(\s*)(?:\"(?:[^\"\\]|\\.)*\"(\s*:\s*))?", text)
        lead, colon = (first[1], first[2]) if first else ("", None)
        return cls(
            indent=_DEFAULT_INDENT if colon is None else lead.rpartition("\n")[2] if "\n" in lead else "",
            newline="\r\n" if "\r\n" in text else "\n",
            colon=colon or ": ",
            gap="" if colon == ":" else " ",
            escape=text.isascii() and "\\u" in text,
        )

    def label(self, step: Step) -> str:
        return "" if isinstance(step, int) else self._text(step) + self.colon

    def dump(self, value: object, lead: str) -> str:
        """Return the value over several lines, indented from where it stands."""
        if not self.indent:
            return self.dump_inline(value)
        dumped = self._text(value, indent=self.indent, separators=(",", self.colon))
        return dumped.replace("\n", self.newline + lead.rpartition("\n")[2])

    def dump_inline(self, value: object) -> str:
        """Return the value on one line."""
        return self._text(value, separators=("," + self.gap, self.colon))

    def _text(self, value: object, indent: str | None = None, separators: tuple[str, str] | None = None) -> str:
        dumped = json.dumps(value, ensure_ascii=self.escape, indent=indent, separators=separators)
        if re.search("[\ud800-\udfff]", dumped) is None:
            return dumped
        # Half a surrogate pair has no UTF-8 form; it can only have stood in the file as an escape.
        return json.dumps(value, indent=indent, separators=separators)


def _members(text: str, at: int) -> Iterator[_Child]:
    while text[at] != "}":
        key, end = _DECODER.raw_decode(text, at)
        value_start = _skip(text, _skip(text, end) + 1)
        _, end = _DECODER.raw_decode(text, value_start)
        yield _Child(key, at, value_start, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _items(text: str, at: int) -> Iterator[_Child]:
    index = 0
    while text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield _Child(index, at, at, end)
        index += 1
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)


def _root(text: str) -> int:
    return _skip(text, 0)


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _indentation(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : at]
    return line[: len(line) - len(line.lstrip(" \t"))]


def _nested(path: Path, value: object) -> object:
    for step in reversed(path):
        value = {step: value} if isinstance(step, str) else [value]
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise NotPlainJson(f"the key {key!r} stands twice in one object")
        found[key] = value
    return found


def _no_constant(name: str) -> None:
    raise NotPlainJson(f"{name} is not JSON")
