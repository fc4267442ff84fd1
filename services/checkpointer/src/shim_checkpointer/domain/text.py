"""Small readings of text: shortening, sentences, what a person asked to be kept to, what was decided."""

import re
from collections.abc import Iterator

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_LIST_MARK = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_LONGEST_SENTENCE = 240
_MOST_SCANNED = 20_000
GAP = " … "
"""What stands where a line was cut."""

_CONSTRAINT = re.compile(
    r"\b(never|always|must(?: not|n't)?|do not|don't|cannot|only (?:use|touch|change|edit|write)|use only"
    r"|stick to|make sure|ensure|avoid|without (?:using|touching|changing|breaking)|leave .{1,40} alone"
    r"|no (?:new|external|third.party)|keep (?:it|the|to)|instead of|prefer|(?:run|rerun) .{1,40} after each)\b",
    re.IGNORECASE,
)
_DECISION = re.compile(
    r"\b(i(?:'ll| will| am going to|'m going to) (?:use|keep|store|add|implement|make|go with|put|avoid|take)"
    r"|(?:let's|let us) (?:use|go with|keep)|(?:i|we)(?:'ve| have)? (?:decided|chose|chosen)|going with|decision(?=:)"
    r"|instead of|rather than|the (?:best|right|simplest) (?:approach|way|fix)|the plan is|root cause)\b",
    re.IGNORECASE,
)


def shorten(text: str, limit: int) -> str:
    """Return the text on one line, cut in the middle if it is longer than the limit."""
    return _cut(" ".join(text.split()), limit, GAP)


def clip(text: str, limit: int) -> str:
    """Return the text with its lines, cut in the middle if it is longer than the limit."""
    return _cut(text, limit, "\n[…]\n")


def _cut(text: str, limit: int, mark: str) -> str:
    if len(text) <= limit:
        return text
    room = limit - len(mark)
    if room <= 0:
        return text[: max(0, limit)]
    tail = room // 3
    return f"{text[: room - tail]}{mark}{text[len(text) - tail :]}"


def constraints_in(prompt: str) -> Iterator[str]:
    """Yield the sentences of a prompt that ask for something to be kept to. English alone is understood."""
    return _matching(prompt, _CONSTRAINT)


def decisions_in(reply: str) -> Iterator[str]:
    """Yield the sentences of a reply that settle something. English alone is understood."""
    return _matching(reply, _DECISION)


def _matching(text: str, pattern: re.Pattern[str]) -> Iterator[str]:
    for sentence in _SENTENCE.split(text[:_MOST_SCANNED]):
        plain = _LIST_MARK.sub("", sentence).strip()
        if len(plain) >= 8 and not plain.endswith(":") and pattern.search(plain):
            yield shorten(plain, _LONGEST_SENTENCE)
