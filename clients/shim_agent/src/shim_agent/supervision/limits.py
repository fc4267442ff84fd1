"""Whether the last thing that a client said is that a usage limit is reached, and when it resets.

In the transcript it is an assistant's message with `isApiErrorMessage` and the error `rate_limit`. Some versions put
the moment of the reset behind a bar at the end of the text, in seconds since the epoch; where they say it in words,
without a date, it counts as unknown.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

TAIL_BYTES = 256 * 1024
"""How far back the last message is looked for: lines behind it are short."""

_RESET = re.compile(r"limit reached\|(\d{10})\b")


@dataclass(frozen=True, slots=True)
class UsageLimit:
    """A limit that is reached; `resets_at` is None where it was not told in a way that can be trusted."""

    resets_at: datetime | None


def usage_limit(transcript: Path | None) -> UsageLimit | None:
    """Return the limit that a session stopped at; None where it did not, or there is no transcript."""
    if transcript is None:
        return None
    try:
        with transcript.open("rb") as file:
            file.seek(max(0, transcript.stat().st_size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        said = _message(line)
        if said is not None:
            return _limit(said)
    return None


def _message(line: bytes) -> dict[str, object] | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return said if isinstance(said, dict) and said.get("type") in ("assistant", "user") else None


def _limit(said: dict[str, object]) -> UsageLimit | None:
    if not said.get("isApiErrorMessage") or said.get("error") != "rate_limit":
        return None
    found = _RESET.search(json.dumps(said.get("message")))
    return UsageLimit(datetime.fromtimestamp(int(found[1]), UTC) if found else None)
