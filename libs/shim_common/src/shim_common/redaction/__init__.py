"""Secrets are taken out of conversations before they are stored, and out of everything that is logged.

`redact_text` and `redact_json` replace each secret by a marker such as `[redacted:github-token:3f9a]`. Both are pure:
the same input gives the same output, redacting twice changes nothing, and the shape of JSON stays, so two values that
were equal compare equal redacted. `StreamRedactor` does the same for text in pieces, and `redaction.logs.redact_event`
for structlog. Rules are tables (`private_keys`, `formats`, `contexts`); `plausibility` and `names` hold what tells a
secret from a placeholder, an identifier or a counter.
"""

from .marker import Finding
from .stream import StreamRedactor
from .text import Redacted, redact_text
from .tree import JsonValue, RedactedJson, redact_json, redact_object

__all__ = [
    "Finding",
    "JsonValue",
    "Redacted",
    "RedactedJson",
    "StreamRedactor",
    "redact_json",
    "redact_object",
    "redact_text",
]
