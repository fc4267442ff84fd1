"""One way to recognise a secret: where it may begin, and which part of the text it then is."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from .plausibility import is_placeholder

ALNUM = "[0-9A-Za-z]"
UPPER = "[0-9A-Z]"
LOWER = "[0-9a-z]"
HEX = "[0-9a-f]"
ENCODED = "[0-9A-Za-z+/=%]"  # base64, perhaps quoted for a URL
URL_SAFE = "[0-9A-Za-z_-]"
DOTTED = "[0-9A-Za-z_.-]"
NOT_ALNUM_NEXT = "(?![0-9A-Za-z])"

Span = tuple[int, int]
Find = Callable[[str, int], Span | None]
"""From a text and the place of an anchor in it to the span of the secret, `None` where there is none."""

_ESCAPE_BEFORE = re.compile(
    r"""
    (?: \\[nrtbfv0]             # the n of \\n in escaped text
      | \\u[0-9a-fA-F]{4}       # JSON
      | \\x[0-9a-fA-F]{2}
      | %[0-9a-fA-F]{2}         # URL
      | \[[0-9;:]{0,16}m        # terminal colours
    )\Z
    """,
    re.VERBOSE,
)
_LONGEST_ESCAPE = 18
_JUDGED_BEYOND_LEAST = 64
_SHORTEST_STEM = 3


@dataclass(frozen=True)
class Rule:
    """A rule of the table.

    `anchors` are literal pieces, one of which every match contains; they are looked for before anything else is tried.
    `lead` counts the characters from the start of the match to its anchor. A `bounded` match may not begin in the
    middle of a word.
    """

    name: str
    anchors: tuple[str, ...]
    find: Find
    lead: int = 0
    bounded: bool = True


def matching(pattern: str, accept: Callable[[str], bool] | None = None, flags: int = 0) -> Find:
    """Return a finder for a regular expression that begins where the rule does.

    The secret is the group `secret`, or all of the match. Placeholders are never secrets; `accept` may be stricter.
    """
    compiled = re.compile(pattern, flags | re.ASCII)
    group = "secret" if "secret" in compiled.groupindex else 0

    def find(text: str, at: int) -> Span | None:
        match = compiled.match(text, at)
        if match is None:
            return None
        secret = match[group]
        accepted = (accept is None or accept(secret)) and not is_placeholder(secret)
        return match.span(group) if accepted else None

    return find


def token(
    name: str,
    prefixes: str,
    body: str,
    least: int,
    *,
    before: str = "",
    middle: str = "",
    exact: bool = False,
    inside: bool = False,
    accept: Callable[[str], bool] | None = None,
) -> Rule:
    """Return the rule for tokens that are one of some prefixes and then at least `least` characters of a class.

    `before` is a lookbehind, `middle` what stands between prefix and class. `exact` wants just `least`
    characters, for prefixes that ordinary words share; `inside` lets a telling prefix count in the middle of
    a word as well.

    A token is judged by its first characters and then taken with all that hangs on to it, so that keys glued
    together leave no rest, and so that a long run of refused prefixes does not cost its length for each of them.
    """
    alternatives = prefixes.split()
    stem = _common_start(alternatives)
    anchors = (stem,) if len(stem) >= _SHORTEST_STEM else tuple(alternatives)
    start = f"{before}(?:{'|'.join(map(re.escape, alternatives))}){middle}{body}"
    if exact:
        return Rule(name, anchors, matching(f"{start}{{{least}}}{NOT_ALNUM_NEXT}", accept), bounded=not inside)
    judge = matching(f"{start}{{{least},{least + _JUDGED_BEYOND_LEAST}}}", accept)
    rest = re.compile(rf"(?:{body}|[\w-])*+", re.ASCII)

    def find(text: str, at: int) -> Span | None:
        span = judge(text, at)
        if span is None:
            return None
        end = rest.match(text, span[1])
        return span[0], end.end() if end else span[1]

    return Rule(name, anchors, find, bounded=not inside)


def _common_start(words: list[str]) -> str:
    shared = [len(set(column)) == 1 for column in zip(*words, strict=False)]
    return words[0][: (*shared, False).index(False)]


def starts_word(text: str, at: int) -> bool:
    """Return whether a word can start here: no letter or digit stands before, or it ends an escape sequence."""
    if at == 0 or not (text[at - 1].isascii() and text[at - 1].isalnum()):
        return True
    return _ESCAPE_BEFORE.search(text[max(0, at - _LONGEST_ESCAPE) : at]) is not None
