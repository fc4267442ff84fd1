"""The long words of a text: where formats are looked for.

A token is an unbroken run of letters, digits and `_-.~`, and no short one. Such runs are a small part of a
conversation, so finding them first makes it cheap to look for some 200 prefixes.
"""

SHORTEST = 20
"""Characters from which a word is long: the shortest token there is, an AWS access key id, has as many."""

_REACH = 64
_PLAIN = "abcdefghijklmnopqrstuvwxyz_-.~"
_CHARACTERS = _PLAIN + "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_WORDS_ONLY = bytes(byte if chr(byte) in _CHARACTERS else ord(" ") for byte in range(256))
_PLAIN_BYTES = _PLAIN.encode()


def long_words(text: bytes) -> bytes:
    """Return the distinct long words of a UTF-8 text that have a digit or capital in them, joined by spaces."""
    words = {word for word in text.translate(_WORDS_ONLY).split() if len(word) >= SHORTEST}
    return b" ".join(word for word in words if word.translate(None, _PLAIN_BYTES))


def in_long_word(text: str, at: int) -> bool:
    """Return whether a place lies in a long word with a digit or capital near by, so that `long_words` has it."""
    before = text[max(0, at - _REACH) : at]
    after = text[at : at + _REACH]
    word = before[len(before.rstrip(_CHARACTERS)) :] + after[: len(after) - len(after.lstrip(_CHARACTERS))]
    return len(word) >= SHORTEST and bool(word.strip(_PLAIN))
