"""Whether a value can be a secret at all: neither a placeholder, nor an identifier, nor a word.

The thresholds were set on generated tokens of 12 to 64 characters (base62, base64, base36, hex, UUID) against the
identifiers, paths and versions of recorded coding sessions.
"""

import base64
import re

_SHORTEST_RANDOM = 12
_SHORTEST_LETTERS_ONLY = 16
_LONGEST_PASSWORD = 256
_JUDGED = 128
"""Characters of a value that are looked at, so that long values cost no more than short ones."""

_MOST_WORDY = 0.35
_MOST_WORDY_LETTERS_ONLY = 0.25

_COMMON_PAIRS_TEXT = """
th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro
ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so
rs un lo wa ge ie ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig
tu ev ld ry mp ty op ex ke ey un up ss ck ap ag ab
"""
_COMMON_LETTER_PAIRS = frozenset(_COMMON_PAIRS_TEXT.split())
_PLACEHOLDER = re.compile(
    r"""
      example|placeholder|change.?me|replace.?(?:me|with|this)|redacted|dummy|foobar
    | your[-_. ]?(?:own|token|key|secret|password|api|access|org|project|user)
    | x{6}|\*{3}|\.{3}|…|([^a])\1{7}
    | 0123456|1234567|abcdef(?:g|1)|deadbeef|qwerty
    | <[^>]*>|\{[^}]*\}
    """,
    re.IGNORECASE | re.VERBOSE,
)
_STAND_IN = re.compile(
    r"(?:[a-z]+[-_])?(?:pass(?:word|wd|phrase)?|pwd|pw|secret|token|key|credentials?|none|null|true|false|test|user)\d?"
    r"|(?:your|my|some|the|fake|mock|test)[-_. ].*"
    r"|(?=[A-Z_]*(?:PASS|PWD|SECRET|TOKEN|KEY))[A-Z]+(?:_[A-Z]+)*"
    r"|[xX*.•_-]+"
    r"|\$(?:[A-Za-z_]\w*|\d*|[({].*)|%\w*%?|\[.*"
)
_PUBLIC_VALUE = re.compile(
    r"(?:toolu|srvtoolu|msg|req|call|resp|chatcmpl|evt|ses|ckp|tsk|exp)[_-]\w+"
    r"|(?:sha1|sha256|sha384|sha512|md5|urn|arn|file|data)[-:].*"
    r"|ssh-(?:rsa|ed25519|dss).*"
    r"|[\d.:TZ+/ -]+",
    re.DOTALL,
)
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_IDENTIFIER = re.compile(r"[A-Za-z_$][\w$]*(?:(?:\.|->|::|-)[\w$]+)*")
_PATH = re.compile(r"(?:[a-z]+:/|[A-Za-z]:\\|~|\.{1,2})?/|\w+(?:/[\w.-]+)+$")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_DIGIT = re.compile(r"\d")
_LETTER = re.compile(r"[^\W\d_]")
_CHOSEN = re.compile(r"(?=\S*[^\W\d_])(?=\S*[\d!@#$%^&*+=?~])\S{6,}")


def is_placeholder(value: str) -> bool:
    """Return whether a value stands for a secret instead of being one, as in `<your-token>` or `${TOKEN}`.

    A marker of an earlier redaction is one too. So is a long run of one character, except of `A`, which is how
    base64 writes zero bytes.
    """
    return bool(_PLACEHOLDER.search(value, 0, _JUDGED) or _STAND_IN.fullmatch(value))


def is_public_value(value: str) -> bool:
    """Return whether a value is an identifier, digest or point in time, which nobody keeps secret."""
    return bool(_PUBLIC_VALUE.fullmatch(value))


def looks_random(value: str) -> bool:
    """Return whether a value looks drawn by a machine: its letters do not follow each other as in words."""
    if _UUID.fullmatch(value):
        return True
    if len(value) < _SHORTEST_RANDOM or not _LETTER.search(value):
        return False
    if _DIGIT.search(value):
        return _wordiness(value) <= _MOST_WORDY
    mixed_case = not (value.islower() or value.isupper())
    return mixed_case and len(value) >= _SHORTEST_LETTERS_ONLY and _wordiness(value) <= _MOST_WORDY_LETTERS_ONLY


def looks_chosen(value: str, *, code: bool = False) -> bool:
    """Return whether a value looks like a password that a person chose.

    Where it may be `code`, a plain identifier is none.
    """
    if len(value) > _LONGEST_PASSWORD or not _CHOSEN.fullmatch(value) or _PATH.match(value) or _EMAIL.fullmatch(value):
        return False
    return not (code and _IDENTIFIER.fullmatch(value))


def is_basic_credentials(value: str) -> bool:
    """Return whether a value is base64 of `user:password`, as in HTTP basic authentication."""
    try:
        decoded = base64.b64decode(value, validate=True)
    except ValueError:
        return False
    return b":" in decoded and decoded.isascii() and decoded.decode("ascii").isprintable()


def _wordiness(value: str) -> float:
    """Return the share of neighbouring characters that are letter pairs common in English."""
    folded = value[:_JUDGED].lower()
    pairs = len(folded) - 1
    return sum(folded[at : at + 2] in _COMMON_LETTER_PAIRS for at in range(pairs)) / pairs
