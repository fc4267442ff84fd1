import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_transcripts import Damage, Reason, Record, parse_line, salvage

SESSION = "11111111-1111-4111-8111-111111111111"


def raw_line(**fields: Any) -> bytes:
    return json.dumps({"type": "user", "sessionId": SESSION, **fields}).encode() + b"\n"


def read(raw: bytes) -> Record:
    record = parse_line(raw, 0)
    assert isinstance(record, Record), record
    return record


def test_the_envelope_is_understood() -> None:
    raw = raw_line(
        uuid="u1",
        parentUuid="u0",
        timestamp="2026-01-02T03:04:05.678Z",
        version="2.1.329",
        cwd="/w",
        gitBranch="main",
        isSidechain=True,
        isMeta=True,
        message={"role": "user", "content": "hi"},
    )
    record = parse_line(raw, 40)

    assert isinstance(record, Record)
    assert (record.offset, record.end, record.size) == (40, 40 + len(raw), len(raw))
    assert (record.type, record.uuid, record.parent_uuid, record.session_id) == ("user", "u1", "u0", SESSION)
    assert record.at == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
    assert (record.client_version, record.cwd, record.git_branch) == ("2.1.329", "/w", "main")
    assert record.is_sidechain
    assert record.is_meta
    assert record.data == json.loads(raw)
    assert record.repaired == 0


def test_fields_of_a_wrong_type_are_passed_over() -> None:
    record = read(b'{"type":7,"uuid":[],"timestamp":12,"isSidechain":"yes","parentUuid":null,"cwd":""}')

    assert (record.type, record.uuid, record.at, record.parent_uuid, record.cwd) == ("", None, None, None, None)
    assert not record.is_sidechain


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
    ],
)
def test_timestamps_are_aware_utc_or_none(text: str, at: datetime | None) -> None:
    assert read(raw_line(timestamp=text)).at == at


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"type":"user","mess\n', Reason.NOT_JSON),
        (b'{"type":"user"}{"type":"user"}\n', Reason.NOT_JSON),
        (b"\n", Reason.NOT_JSON),
        (b"[1]\n", Reason.NOT_OBJECT),
        (b'"text"\n', Reason.NOT_OBJECT),
        (b"NaN\n", Reason.NOT_OBJECT),
        (b"\xff\xfe\x80\n", Reason.BAD_UTF8),
        (b"\x00" * 64 + b"\n", Reason.NUL),
        (b'{"type":"us\x00\x00er"}\n', Reason.NUL),
        (b'{"a":' * 500 + b"1" + b"}" * 500 + b"\n", Reason.TOO_DEEP),
    ],
)
def test_damage_has_a_reason_and_a_place(raw: bytes, reason: Reason) -> None:
    damage = parse_line(raw, 10)

    assert damage == Damage(10, 10 + len(raw), reason)
    assert isinstance(damage, Damage)
    assert damage.size == len(raw)


@pytest.mark.parametrize(
    ("raw", "text", "repaired"),
    [
        (b'{"type":"user","a":"caf\xe9"}\n', "caf\ufffd", 1),
        (b'{"type":"user","a":"\xef\xbf\xbd \xff"}\n', "\ufffd \ufffd", 1),
        (b'{"type":"user","a":"\\u0000"}\n', "\ufffd", 1),
        (b"\x00" * 4096 + b'{"type":"user","a":"x"}\n', "x", 1),
        (b'\xef\xbb\xbf{"type":"user","a":"x"}\r\n', "x", 0),
    ],
)
def test_a_line_that_can_be_repaired_is_kept(raw: bytes, text: str, repaired: int) -> None:
    record = read(raw)

    assert record.data == {"type": "user", "a": text}
    assert record.repaired == repaired


def test_the_digest_is_of_the_text_alone() -> None:
    raw = raw_line(a=1)

    assert read(raw).digest == read(b"\x00 " + raw.rstrip() + b"\r\n").digest
    assert read(raw).digest != read(raw_line(a=2)).digest
    assert len(read(raw).digest) == 16


def test_a_record_behind_a_torn_one_is_salvaged() -> None:
    torn = raw_line(
        parentUuid="p",
        uuid="lost",
        message={"content": [{"type": "text", "text": "done"}, {"type": "tool_use", "input": {"type": "deep"}}]},
    )
    whole = raw_line(parentUuid=None, uuid="kept", message={"content": 'says {"type":"user","sessionId":"no"}'})

    for cut in range(1, len(torn) - 2):
        found = salvage(torn[:cut] + whole, 7)
        assert [record.uuid for record in found] == ["kept"], torn[:cut]
        assert (found[0].offset, found[0].end) == (7, 7 + cut + len(whole))


def test_whole_records_on_one_line_are_all_salvaged() -> None:
    lines = [raw_line(uuid=name).rstrip() for name in "abc"]

    assert [record.uuid for record in salvage(b"".join(lines) + b'{"type":"us', 0)] == ["a", "b", "c"]


def test_nested_objects_of_a_torn_line_are_no_records() -> None:
    inner = {"type": "user", "uuid": "inner", "message": {"type": "text"}}
    torn = raw_line(type="progress", data={"message": inner}, toolUseResult=[inner, inner])[:-3]

    assert salvage(torn, 0) == []


def test_salvage_gives_up_on_a_line_made_to_be_expensive() -> None:
    whole = raw_line(parentUuid=None, uuid="kept")
    expensive = b'{"type":' * 900 + b'"' + b"x" * 3_000_000

    assert salvage(expensive + whole, 0) == []
    assert [record.uuid for record in salvage(expensive[8 * 899 :] + whole, 0)] == ["kept"]


@given(st.binary(max_size=300))
def test_no_bytes_raise(raw: bytes) -> None:
    result = parse_line(raw, 3)

    assert (result.offset, result.end) == (3, 3 + len(raw))
    assert all(isinstance(record, Record) for record in salvage(raw, 3))
