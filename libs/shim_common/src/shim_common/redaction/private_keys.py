"""Private keys as they stand in files: the only secrets that span lines.

Their lines may have been numbered, quoted, indented, prefixed by a diff, or joined by `\\n` inside a JSON string, and
their end may have been cut off.
"""

import re

from .rule import Rule, Span

_BASE64 = "[0-9A-Za-z+/=]"
_HEADERS = ("-----BEGIN", "Private-Lines:")
_HEADER = r"(?:-----BEGIN\ [0-9A-Z ]{0,40}PRIVATE\ KEY(?:\ BLOCK)?-----|Private-Lines:[ \t]*\d{1,4})"
_BETWEEN = r"""(?:\s|\d{1,6}(?:→|\t|\\+t|\ *[|:])|\\+[rnt]|\\*["'`,]|[+>|#*]|-(?!-))*+"""
_ATTRIBUTE = r"(?!Private-Lines)[A-Z][A-Za-z-]{2,20}:\ [^\r\n\\]{0,200}+"
_LINE = rf"{_BASE64}{{16,}}+"
_START = rf"{_HEADER}(?P<body>{_BETWEEN}(?:{_ATTRIBUTE}{_BETWEEN}){{0,8}}+"

_PRIVATE_KEY = re.compile(rf"{_START}(?P<lines>(?:{_LINE}{_BETWEEN})++{_BASE64}*+))", re.VERBOSE)
_UNFINISHED = re.compile(rf"{_START}(?:{_LINE}{_BETWEEN})*+)\Z", re.VERBOSE)
_KEY_LINE = re.compile(_LINE)

_LEAST_KEY = 40
"""Base64 characters in the smallest key there is (Ed25519 takes 64); fewer are an identifier beside a mention."""


def _find_private_key(text: str, at: int) -> Span | None:
    match = _PRIVATE_KEY.match(text, at)
    if match is None or sum(map(len, _KEY_LINE.findall(match["lines"]))) < _LEAST_KEY:
        return None
    return match.span("body")


def ends_within_key(text: str) -> bool:
    """Return whether a text that consists of whole lines breaks off in a private key.

    No key reaches past the header of another, so the last ones tell.
    """
    lasts = (text.rfind(header) for header in _HEADERS)
    return any(last >= 0 and _UNFINISHED.match(text, last) for last in lasts)


PRIVATE_KEYS: tuple[Rule, ...] = (Rule("private-key", _HEADERS, _find_private_key, bounded=False),)
"""They come before the other rules, lest one of those replace a piece in the middle of a key."""
