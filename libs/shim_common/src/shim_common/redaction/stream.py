"""Redaction of a text that arrives in pieces, as model output does over server-sent events."""

import re

from .marker import MARKER_START
from .private_keys import ends_within_key
from .text import redact_text

LONGEST_HELD = 65_536
"""Characters after which even an unfinished line is handed on; up to twice as many are held for a moment."""

_OVERLAPS = (4_096, 16_384, 32_768)
_END_OF_TOKEN = re.compile(r"[^0-9A-Za-z+/=_.~%-]")
_LONGEST_MARKER = 64


class StreamRedactor:
    """Redacts the pieces of one text so that a secret split between them is found as well.

    Secrets do not span lines, private keys apart. So whole lines are handed on, and what is held back is the current
    line, or all lines while the last of them is in a private key. As long as these are shorter than `LONGEST_HELD`,
    the pieces handed on are together exactly what `redact_text` makes of the whole text.
    """

    def __init__(self) -> None:
        self._held = ""
        self._in_long_secret = False

    def feed(self, piece: str) -> str:
        """Take the next piece of the text; return what is safe to hand on by now, perhaps nothing."""
        safe = []
        for start in range(0, len(piece), LONGEST_HELD):
            self._held += self._without_rest_of_secret(piece[start : start + LONGEST_HELD])
            safe.append(self._whole_lines())
            while len(self._held) > LONGEST_HELD:
                safe.append(self._part_of_long_line())
        return "".join(safe)

    def flush(self) -> str:
        """End the text; return what was still held back."""
        held, self._held, self._in_long_secret = self._held, "", False
        return redact_text(held).text

    def _whole_lines(self) -> str:
        cut = self._held.rfind("\n") + 1
        return "" if ends_within_key(self._held[:cut]) else self._hand_on(cut)

    def _hand_on(self, cut: int) -> str:
        safe, self._held = self._held[:cut], self._held[cut:]
        return redact_text(safe).text

    def _part_of_long_line(self) -> str:
        """Hand on most of what is held, cut where both parts redacted are the whole redacted: in no secret.

        A secret that leaves no such place is handed on as its marker, and what still follows of it is dropped.
        """
        whole = redact_text(self._held).text
        for overlap in _OVERLAPS:
            head, tail = self._held[:-overlap], self._held[-overlap:]
            if redact_text(head).text + redact_text(tail).text == whole:
                return self._hand_on(len(head))
        self._held = ""
        self._in_long_secret = whole.endswith("]") and MARKER_START in whole[-_LONGEST_MARKER:]
        return whole

    def _without_rest_of_secret(self, piece: str) -> str:
        if not self._in_long_secret:
            return piece
        end = _END_OF_TOKEN.search(piece)
        self._in_long_secret = end is None
        return piece[end.start() :] if end else ""
