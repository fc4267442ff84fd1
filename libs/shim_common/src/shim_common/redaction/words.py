"""The long words of a text: where formats count.

A token is an unbroken run of letters, digits and `_-.~`, and no short one.
"""

SHORTEST = 20
"""Characters from which a word is long: the shortest token there is, an AWS access key id, has as many."""

_REACH = 64
_PLAIN = "abcdefghijklmnopqrstuvwxyz_-.~"
_CHARACTERS = _PLAIN + "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def in_long_word(text: str, at: int) -> bool:
    """Return whether a place lies in a long word with a digit or capital near by."""
    before = text[max(0, at - _REACH) : at]
    after = text[at : at + _REACH]
    word = before[len(before.rstrip(_CHARACTERS)) :] + after[: len(after) - len(after.lstrip(_CHARACTERS))]
    return len(word) >= SHORTEST and bool(word.strip(_PLAIN))
