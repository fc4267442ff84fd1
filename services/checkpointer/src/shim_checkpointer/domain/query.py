"""The words somebody searches for: how they are written, what they match, and how a find is shown.

A word is a run of letters and digits; everything else parts words, in texts and in queries alike, so that
`discount_cents` and `src/cart.py` are words next to each other. Unquoted, the last of them may go on (`disc` finds
`discount`). Quotes ask for exactly these words side by side, a minus in front for texts without them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shim_common.kernel.errors import Unprocessable

MOST_TERMS = 32
"""Terms of a query: more are no question but a text."""
_LONGEST_WORD = 255
"""Characters: Postgres takes 2,046 bytes of a word."""
_SHORTEST_PREFIX = 2
"""Letters from which a word may go on: one letter would find nearly everything."""
_TERM = re.compile(r'(-?)(?:"([^"]*)(?:"|$)|([^\s"]+))')
_WORD = re.compile(r"[^\W_]+")
_BETWEEN = r"[\W_]+"
_BLANK = re.compile(r"\s+")
_SNIPPET = 200
_BEFORE = 60
"""Characters shown, and how many of them at most before the first find."""


@dataclass(frozen=True)
class Term:
    """Words side by side, in small letters; `is_open` where the last may go on."""

    words: tuple[str, ...]
    is_open: bool = False

    def lexemes(self) -> str:
        """Return the term's words, wherever they stand, as a part of a `tsquery`; they need no escapes."""
        return " & ".join(f"'{word}'" for word in self.words) + (":*" if self.is_open else "")

    def run(self) -> str:
        """Return what stands in the words of a text, with a blank around each, where the term does."""
        return " " + " ".join(self.words) + ("" if self.is_open else " ")

    def pattern(self) -> str:
        """Return a regular expression for the term in a text."""
        tail = r"[^\W_]*" if self.is_open else r"(?![^\W_])"
        return r"(?<![^\W_])" + _BETWEEN.join(map(re.escape, self.words)) + tail


@dataclass(frozen=True)
class SearchQuery:
    """All of `wanted`, and none of `unwanted`."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...] = ()

    def tsquery(self) -> str:
        """Return what the index is asked: for every wanted word, and for no unwanted one that stands alone."""
        unwanted = (f"!{one.lexemes()}" for one in self.unwanted if len(one.words) == 1)
        return " & ".join((*(one.lexemes() for one in self.wanted), *unwanted))

    def runs(self, *, wanted: bool) -> list[str]:
        """Return the runs of several words, which the index does not know."""
        return [one.run() for one in (self.wanted if wanted else self.unwanted) if len(one.words) > 1]


@dataclass(frozen=True)
class Snippet:
    """A line of a text around what was found, with the places of the finds in it."""

    text: str
    marks: list[tuple[int, int]]


def parse(text: str) -> SearchQuery:
    """Return the query that somebody wrote.

    Raises:
        Unprocessable: it names no word to look for, or far too many.
    """
    wanted: list[Term] = []
    unwanted: list[Term] = []
    for minus, quoted, plain in _TERM.findall(text):
        words = words_of(quoted or plain)
        if words:
            is_open = not quoted and len(words[-1]) >= _SHORTEST_PREFIX
            (unwanted if minus else wanted).append(Term(tuple(words), is_open))
    if not wanted:
        raise Unprocessable("the query names no word to look for", code="no_words")
    if sum(len(term.words) for term in (*wanted, *unwanted)) > MOST_TERMS:
        raise Unprocessable(f"the query has more than {MOST_TERMS} words", code="too_many_words")
    return SearchQuery(tuple(wanted), tuple(unwanted))


def words_of(text: str) -> list[str]:
    """Return the words of a text in small letters, the longest cut."""
    return [word[:_LONGEST_WORD] for word in _WORD.findall(text.lower())]


def snippet(text: str, terms: Sequence[Term]) -> Snippet:
    """Return a line of the text around the first find."""
    line = _BLANK.sub(" ", text).strip()
    finder = re.compile("|".join(term.pattern() for term in terms), re.IGNORECASE)
    first = finder.search(line)
    start = _start(line, first.start() if first else 0)
    shown = line[start : start + _SNIPPET]
    lead = "… " if start else ""
    tail = " …" if start + _SNIPPET < len(line) else ""
    marks = [(found.start() + len(lead), found.end() + len(lead)) for found in finder.finditer(shown)]
    return Snippet(f"{lead}{shown}{tail}", marks)


def _start(line: str, found: int) -> int:
    """Return where the shown part begins: at the line's begin, or at a word a little before the find."""
    if found <= _BEFORE:
        return 0
    blank = line.find(" ", found - _BEFORE, found)
    return blank + 1 if blank >= 0 else found - _BEFORE
