"""Secrets that are the value of something with a telling name, as in `api_key = "..."` or `--token ...`."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from .names import Secrecy, secrecy_of
from .plausibility import is_basic_credentials, is_placeholder, is_public_value, looks_chosen, looks_random
from .rule import Span

_LONGEST_HALF_NAME = 64
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-$"

_SPACE = r"[ \t]{0,8}"
_QUOTE = r"""\\*["'`]"""
_STRING = rf"""[bruBRU]{{0,2}}{_QUOTE}(?P<value>[^\s"'`\\]{{6,16384}}+)(?={_QUOTE})"""
_PART = r"""[^\s"'`\\<>,;(){}\[\]|&:=]{1,16384}+"""
_BARE = rf"(?P<value>{_PART}(?:[:=]{{1,2}}{_PART}){{0,3}}+={{0,2}}+)(?!\()"
_SHELL_PART = r"""[^\s"'`\\=]{1,16384}+"""
_SHELL_WORD = rf"(?P<value>{_SHELL_PART}(?:={{1,2}}{_SHELL_PART}){{0,3}}+={{0,2}}+)"
_TYPE = rf"(?:{_SPACE}:{_SPACE}[A-Za-z_][\w.]{{0,30}}(?:\[\w+\])?(?={_SPACE}=))?"
_ASSIGNS = rf"(?:{_QUOTE})?\]?{_TYPE}{_SPACE}(?:[:=]{{1,3}}>?|\bis\b){_SPACE}"
_VALUE_FIELD = rf"{_QUOTE}{_SPACE},?{_SPACE}(?:{_QUOTE})?value(?:{_QUOTE})?{_SPACE}[:=]{_SPACE}"


class _Form(NamedTuple):
    """How a value can follow its name; as `code` it stands where a program may stand, and may be an identifier."""

    pattern: re.Pattern[str]
    code: bool


def _form(pattern: str, *, code: bool) -> _Form:
    return _Form(re.compile(pattern, re.ASCII), code)


_ENVIRONMENT = _form(f"={_SHELL_WORD}", code=False)
_OPTION = _form(rf"[ \t]+(?:{_QUOTE})?{_BARE}", code=False)
_FORMS = (
    _form(_ASSIGNS + _STRING, code=False),
    _form(_ASSIGNS + _BARE, code=True),
    _form(rf"{_QUOTE}{_SPACE},{_SPACE}{_STRING}", code=True),  # two arguments or items
    _form(_VALUE_FIELD + _STRING, code=False),  # {"name": ..., "value": ...}
    _form(r"""[^<>\n]{0,80}>(?P<value>[^\s<>]{6,16384}+)</""", code=False),  # an XML element
)


def find_assigned(text: str, at: int) -> Span | None:
    """Return the value that is assigned to the name around a place, if name and value both look secret."""
    before = text[max(0, at - _LONGEST_HALF_NAME) : at]
    after = text[at : at + _LONGEST_HALF_NAME]
    name_start = at - len(before) + len(before.rstrip(_NAME_CHARACTERS))
    name_end = at + len(after) - len(after.lstrip(_NAME_CHARACTERS))
    name = text[name_start:name_end]
    if secrecy_of(name) is Secrecy.OPEN:
        return None
    for pattern, code in _forms_of(name):
        match = pattern.match(text, name_end)
        if match and is_secret_value(name, match["value"], code=code):
            return match.span("value")
    return None


def is_secret_value(name: str, value: str, *, code: bool = False) -> bool:
    """Return whether the value of a field or variable of this name is a secret worth hiding.

    `code` says that the value stands where a program may stand, so that it may be an identifier.
    """
    match secrecy_of(name):
        case Secrecy.OPEN:
            return False
        case Secrecy.BASIC:
            plausible = is_basic_credentials(value)
        case Secrecy.CHOSEN:
            plausible = looks_random(value) or looks_chosen(value, code=code)
        case Secrecy.MACHINE_MADE:
            plausible = looks_random(value)
    return plausible and not is_placeholder(value) and not is_public_value(value)


def _forms_of(name: str) -> Iterator[_Form]:
    if name.isupper():
        yield _ENVIRONMENT
    yield from _FORMS
    if name.startswith("--"):
        yield _OPTION
