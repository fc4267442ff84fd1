import json
from typing import Any

import pytest

from shim_transcripts import looks_like_transcript

SESSION = "11111111-1111-4111-8111-111111111111"


def raw(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


@pytest.mark.parametrize(
    "line",
    [
        raw(type="user", sessionId=SESSION, message={"content": "hi"}),
        raw(type="summary", summary="s", leafUuid="l"),
        raw(type="file-history-snapshot", messageId="m", snapshot={}),
        raw(type="queue-operation", sessionId=SESSION, operation="enqueue"),
    ],
)
def test_one_line_of_a_transcript_is_enough(line: bytes) -> None:
    assert looks_like_transcript([line])
    assert looks_like_transcript([b"\n"] * 500 + [b"\x00\xff garbage\n"] * 20 + [line])


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [b"\x7fELF\x02\x01\x01\x00\n", b"\x00" * 100],
        [b"{\n", b'  "trajectory": [\n', b"    {\n"],
        [b"{\n", b'  "sessionId": "1",\n', b'      "type": "user",\n'],
        [raw(timestamp="t", type="session_meta", payload={"id": SESSION}), raw(type="response_item", payload={})],
        [raw(sessionId=SESSION, messageId=0, type="user", message="hi")],
        [raw(type="system", subtype="init", session_id=SESSION), raw(type="user", message={}, session_id=SESSION)],
        [raw(session_id=SESSION, hook_event_name="Stop")],
        [b"1,2,3\n", b"a,b,c\n"],
    ],
    ids=["empty", "binary", "trajectory", "gemini", "codex", "gemini-log", "stream-json", "hooks", "csv"],
)
def test_files_of_other_programs_are_foreign(lines: list[bytes]) -> None:
    assert not looks_like_transcript(lines)
