"""What stands where a secret was: `[redacted:<rule>:<fingerprint>]`.

The fingerprint is the first four hex digits of the secret's SHA-256. Equal secrets keep equal markers, so a reader
still sees that two commands used the same key, and redaction needs no key of its own to be deterministic. Sixteen bits
are too few to recover a secret or to confirm a guess of it (one guess in 65,536 fits by chance); unrelated secrets may
therefore share a fingerprint.
"""

import hashlib
from typing import NamedTuple

MARKER_START = "[redacted:"
_FINGERPRINT_DIGITS = 4


class Finding(NamedTuple):
    """One secret that was replaced; it never carries the secret itself."""

    rule: str
    fingerprint: str

    @property
    def marker(self) -> str:
        """The text that stands in the secret's place."""
        return f"{MARKER_START}{self.rule}:{self.fingerprint}]"


def finding_of(rule: str, secret: str) -> Finding:
    """Return the finding for a secret that a rule has recognised."""
    digest = hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
    return Finding(rule, digest[:_FINGERPRINT_DIGITS])
