import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shim_agent.supervision.limits import UsageLimit, usage_limit

USER = {"type": "user", "message": {"role": "user", "content": "limit reached|1795262400"}}
RESET = datetime.fromtimestamp(1795262400, UTC)
NOTE = {"type": "last-prompt", "lastPrompt": "go on"}


def refused(text: str, error: str = "rate_limit") -> dict[str, object]:
    message = {"role": "assistant", "model": "<synthetic>", "content": [{"type": "text", "text": text}]}
    return {"type": "assistant", "isApiErrorMessage": True, "error": error, "message": message}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([USER, refused("Claude AI usage limit reached|1795262400"), NOTE], UsageLimit(RESET)),
        ([USER, refused("You've hit your limit, it resets at 3pm")], UsageLimit(None)),
        ([USER, refused("Overloaded", "overloaded")], None),
        ([refused("limit reached|1795262400"), USER], None),
        ([USER, NOTE], None),
        ([], None),
    ],
)
def test_the_last_message_says_whether_a_limit_is_reached(
    tmp_path: Path, entries: list[dict[str, object]], expected: UsageLimit | None
) -> None:
    file = tmp_path / "transcript.jsonl"
    file.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries) + '{"type": "assis')
    assert usage_limit(file) == expected


def test_without_a_transcript_nothing_is_known(tmp_path: Path) -> None:
    assert usage_limit(None) is None
    assert usage_limit(tmp_path / "missing") is None
