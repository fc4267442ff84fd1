import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shim_transcripts import Entry, Record, Skipped, parse_line, to_entry
from shim_transcripts.entries import MAX_UNKNOWN, NOISE

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(**fields: Any) -> Record:
    parsed = parse_line(json.dumps(fields).encode() + b"\n", 0)
    assert isinstance(parsed, Record)
    return parsed


def entry(**fields: Any) -> Entry:
    made = to_entry(record(**fields), NOW)
    assert isinstance(made, Entry), made
    return made


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"type": "user"}, "message"),
        ({"type": "assistant"}, "message"),
        ({"type": "system", "subtype": "compact_boundary"}, "compaction"),
        ({"type": "system", "subtype": "api_error"}, "error"),
        ({"type": "system", "subtype": "turn_duration"}, "meta"),
        ({"type": "system", "subtype": ["odd"]}, "meta"),
        ({"type": "attachment", "attachment": {"type": "file"}}, "meta"),
        ({"type": "attachment", "attachment": "odd"}, "meta"),
        ({"type": "summary", "summary": "s", "leafUuid": "l"}, "meta"),
        ({"type": "queue-operation", "operation": "enqueue", "content": "and then?"}, "meta"),
        ({"type": "of tomorrow"}, "meta"),
        ({"no": "type"}, "meta"),
    ],
)
def test_kinds(fields: dict[str, Any], kind: str) -> None:
    made = entry(**fields)

    assert made.kind == kind
    assert made.body == fields


@pytest.mark.parametrize("name", sorted(NOISE))
def test_noise_is_skipped_under_its_name(name: str) -> None:
    line_type, _, subtype = name.partition("/")
    noisy = record(type=line_type, uuid="u", attachment={"type": subtype})

    assert to_entry(noisy, NOW) == Skipped(name)


def test_a_queue_operation_without_words_is_noise() -> None:
    assert to_entry(record(type="queue-operation", operation="dequeue")) == Skipped("queue-operation")
    assert to_entry(record(type="queue-operation", content=" ")) == Skipped("queue-operation")


def test_the_body_leaves_out_what_the_model_did_not_see() -> None:
    assert entry(type="user", message={}, toolUseResult={"stdout": "x"}).body == {"type": "user", "message": {}}


def test_the_key_is_the_uuid_or_else_the_digest() -> None:
    assert entry(type="user", uuid="u1").key == "u1"
    assert entry(type="summary", summary="a").key == entry(type="summary", summary="a").key
    assert entry(type="summary", summary="a").key != entry(type="summary", summary="b").key
    assert entry(type="summary", summary="a").key.startswith("h:")
    assert len(entry(type="user", uuid="u" * 1_000).key) == len("h:") + 16


def test_a_line_without_a_time_gets_the_given_one() -> None:
    assert entry(type="summary").at == NOW
    assert entry(type="user", timestamp="2025-01-01T00:00:00Z").at == datetime(2025, 1, 1, tzinfo=UTC)


def test_only_unknown_lines_are_limited_in_size() -> None:
    text = "x" * MAX_UNKNOWN

    assert to_entry(record(type="of tomorrow", text=text)) == Skipped("of tomorrow")
    assert entry(type="attachment", text=text).body["text"] == text
    assert entry(type="user", message=text).body["message"] == text
