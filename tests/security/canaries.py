"""Secrets that are nobody's, made anew for every run, in forms that people paste into conversations."""

import secrets
import string
from collections.abc import Callable


def _digits(length: int) -> str:
    return "".join(secrets.choice(string.digits) for _ in range(length))


def _random(length: int) -> str:
    """Return random characters, every third a digit.

    One in 300 values without digits is taken for words where its form says nothing, and these tests are not about that.
    """
    kinds = (string.ascii_letters, string.ascii_letters, "23456789")
    return "".join(secrets.choice(kinds[at % 3]) for at in range(length))


FORMS: dict[str, Callable[[str], str]] = {
    "github": lambda secret: f"ghp_{secret}",
    "anthropic": lambda secret: f"sk-ant-api03-{secret}{secret}{secret[:19]}AA",
    "slack": lambda secret: f"xoxb-{_digits(12)}-{_digits(12)}-{secret[:24]}",
    "gitlab": lambda secret: f"glpat-{secret[:20]}",
    "npm": lambda secret: f"npm_{secret}",
    "stripe": lambda secret: f"sk_live_{secret[:24]}",
    "shim": lambda secret: f"shim_admin_{secret}{secret[:7]}",
    "address": lambda secret: f"postgres://shop:{secret[:20]}@db.example.com/shop",
    "assignment": lambda secret: f"export DATABASE_PASSWORD={secret[:24]}",
    "bearer": lambda secret: f"curl -H 'Authorization: Bearer {secret}' https://api.example.com/",
}
"""Name -> how the form looks around 36 random characters."""


class Canaries:
    """Hands out secrets and remembers where each was put."""

    def __init__(self) -> None:
        self._placed: dict[str, str] = {}
        self._beginning = _random(9)

    def everything(self, place: str) -> str:
        """Return a text with a fresh secret of every form, to be put in this place."""
        lines = []
        for form, make in FORMS.items():
            secret = self._beginning + _random(27)
            self._placed[secret[:18]] = f"{form} in {place}"
            lines.append(make(secret))
        return "\n".join(lines)

    def __len__(self) -> int:
        return len(self._placed)

    def found_in(self, content: bytes) -> list[str]:
        """Return which secrets can be read in some bytes, by form and place."""
        if self._beginning.encode() not in content:
            return []
        return [what for piece, what in self._placed.items() if piece.encode() in content] or ["a piece of one"]
