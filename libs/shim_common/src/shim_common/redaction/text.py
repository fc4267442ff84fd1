"""Redaction of a text.

Only the rules whose anchor occurs are tried, and only where it stands. Every pattern matches there or not at all, and
reads no part of the text again and again, so the cost stays linear in the text, whatever it is.
"""

from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

from .contexts import CONTEXTS
from .formats import FORMATS
from .marker import Finding, finding_of
from .private_keys import PRIVATE_KEYS
from .rule import Rule, starts_word

_SHORTEST_SECRET_TEXT = 8


class Redacted(NamedTuple):
    """A text without its secrets, and what was found in it."""

    text: str
    findings: tuple[Finding, ...]


class Anchor(NamedTuple):
    """A literal to look for, and the rules to try where it stands, each with its rank among all."""

    literal: str
    rules: tuple[tuple[int, Rule], ...]


class Plan(NamedTuple):
    """The anchors that occur in a text, so that only these are looked for in it or in parts of it."""

    private_keys: tuple[Anchor, ...]
    formats: tuple[Anchor, ...]
    contexts: tuple[Anchor, ...]


class _Anchors:
    """The anchors of some rules, all looked for in one reading of a text."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        by_literal: dict[str, list[tuple[int, Rule]]] = {}
        for rank, rule in enumerate(rules):
            for literal in rule.anchors:
                by_literal.setdefault(literal, []).append((rank, rule))
        self._anchors = [Anchor(literal, tuple(ranked)) for literal, ranked in by_literal.items()]
        literals = [literal.encode() for literal in by_literal]
        self._automaton = BytesAhoCorasick(literals, implementation=Implementation.DFA)

    def occurring_in(self, text: bytes) -> tuple[Anchor, ...]:
        """Return the anchors that occur in a text."""
        found = {number for number, _, _ in self._automaton.find_matches_as_indexes(text, overlapping=True)}
        return tuple(self._anchors[number] for number in found)


_PRIVATE_KEY_ANCHORS = _Anchors(PRIVATE_KEYS)
_FORMAT_ANCHORS = _Anchors(FORMATS)
_CONTEXT_ANCHORS = _Anchors(CONTEXTS)


def redact_text(text: str) -> Redacted:
    """Return a text with every secret replaced by its marker; doing so again changes nothing more."""
    return redact_by_plan(text, plan_for(text))


def plan_for(text: str) -> Plan:
    """Return the anchors worth trying in a text; they are enough for each part of it too."""
    if len(text) < _SHORTEST_SECRET_TEXT:
        return Plan((), (), ())
    in_bytes = text.encode("utf-8", "surrogatepass")
    return Plan(
        _PRIVATE_KEY_ANCHORS.occurring_in(in_bytes),
        _FORMAT_ANCHORS.occurring_in(in_bytes),
        _CONTEXT_ANCHORS.occurring_in(in_bytes.lower()),
    )


def redact_by_plan(text: str, plan: Plan) -> Redacted:
    """Redact a text of which it is known which anchors it can hold.

    A replaced secret can lay bare another one beside it, so passes follow until one finds nothing.
    """
    findings: list[Finding] = []
    known = -1
    while known < len(findings):
        known = len(findings)
        if plan.private_keys:
            text = _replace(text, text, plan.private_keys, findings)
        if plan.formats:
            text = _replace(text, text, plan.formats, findings)
        if plan.contexts:
            text = _replace(text, fold(text), plan.contexts, findings)
    return Redacted(text, tuple(findings))


def _replace(text: str, searched: str, anchors: Iterable[Anchor], findings: list[Finding]) -> str:
    """Replace from left to right what the anchors' rules find; `searched` is the text as the anchors are written."""
    places = sorted(
        (
            (at - rule.lead, rank, rule)
            for anchor in anchors
            for at in _places(anchor.literal, searched)
            for rank, rule in anchor.rules
        ),
        key=itemgetter(0, 1),
    )
    pieces: list[str] = []
    done = 0
    for at, _, rule in places:
        if at < done or (rule.bounded and at > done and not starts_word(text, at)):
            continue
        span = rule.find(text, at)
        if span is None:
            continue
        finding = finding_of(rule.name, text[span[0] : span[1]])
        findings.append(finding)
        pieces += (text[done : span[0]], finding.marker)
        done = span[1]
    return "".join((*pieces, text[done:])) if pieces else text


def _places(literal: str, text: str) -> Iterator[int]:
    at = text.find(literal)
    while at >= 0:
        yield at
        at = text.find(literal, at + 1)


def fold(text: str) -> str:
    """Return a text in lower case, every character at its place and none but ASCII letters made an ASCII letter.

    `İ` would become two characters, and the Kelvin sign a `k`: both are blanked.
    """
    return text.replace("İ", "\0").replace("\N{KELVIN SIGN}", "\0").lower()
