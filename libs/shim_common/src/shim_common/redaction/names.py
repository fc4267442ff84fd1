"""What the name of a field or variable says about its value."""

import re
from enum import Enum, auto
from functools import lru_cache


class Secrecy(Enum):
    """How secret a value is by its name."""

    OPEN = auto()
    """Nothing says that the value is secret."""
    MACHINE_MADE = auto()
    """A key or token: secret if it looks drawn at random."""
    CHOSEN = auto()
    """A password: secret even if a person made it up."""
    BASIC = auto()
    """Perhaps base64 of `user:password`, as the `auth` of package managers and container tools."""


_LONGEST_NAME = 128
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_KEY_QUALIFIERS = (
    "api|access|secret|private|signing|encryption|account|auth|master|session|license|shared|service|storage|"
    "subscription|webhook|app|application|client|consumer|admin|root|host|user|hmac|aes|fernet|jwt|deploy|ssh"
)
_BASIC = frozenset({"auth"})
_AMBIGUOUS = frozenset({"pass", "pw"})  # test runners print PASS before each name
_CHOSEN = re.compile(r"passw(?:or)?d|passphrase|passcode|\b(?:pwd|pass|pw)\b|[a-z]pwd\b")
_MACHINE_MADE = re.compile(
    rf"\bsecrets?\b|secret\b|secretkey|\btoken\b|(?:access|auth|refresh|bearer|session|bot|api) ?tokens?\b"
    rf"|\b(?:{_KEY_QUALIFIERS}) ?keys?\b|(?:api|access|secret) ?key\b|\bcred(?:ential)?s?\b|\bbearer\b"
    rf"|\bauthorization\b|\bconnection string\b|\bcookie\b"
)
_ABOUT_A_SECRET = re.compile(
    r"\b(?:public|publishable|page|cursor|continuation|next|csrf|xsrf|max|min|total|num|input|output|cache|cached"
    r"|prompt|completion|idempotency|hash(?:ed)?)\b"
    r"|\b(?:id|ids|uid|name|names|type|count|counts|limit|length|len|size|index|url|uri|path|file|dir|field|header"
    r"|policy|hint|label|arn|ref|expiry|expires|expiration|at|in|usage|budget|version|format|pattern|regex|prefix"
    r"|env|var|digest|sha|checksum|fingerprint|endpoint|provider|status|reset|strength)$"
)


@lru_cache(maxsize=4096)
def secrecy_of(name: str) -> Secrecy:
    """Return how secret a value is whose name is `dbPassword`, `X-Api-Key`, `token_count` or the like."""
    if len(name) > _LONGEST_NAME:
        return Secrecy.OPEN
    words = " ".join(_WORD.findall(name)).lower()
    if _ABOUT_A_SECRET.search(words):
        return Secrecy.OPEN
    if words in _BASIC:
        return Secrecy.BASIC
    if words in _AMBIGUOUS:
        return Secrecy.MACHINE_MADE
    if _CHOSEN.search(words):
        return Secrecy.CHOSEN
    return Secrecy.MACHINE_MADE if _MACHINE_MADE.search(words) else Secrecy.OPEN
