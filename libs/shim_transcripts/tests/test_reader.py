import json
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_transcripts import EntryReader, PlacedEntry, Reason
from shim_transcripts.entries import EPOCH
from shim_transcripts.reader import REMEMBERED_KEYS

SESSION = "11111111-1111-4111-8111-111111111111"
NOW = datetime(2026, 1, 1, tzinfo=UTC)

WORDS = st.text(st.characters(codec="utf-8"), max_size=20)


def raw_line(**fields: Any) -> bytes:
    return json.dumps({**fields, "sessionId": SESSION}, ensure_ascii=False).encode() + b"\n"


def message(uuid: str, text: str = "", **fields: Any) -> bytes:
    blocks = [{"type": "text", "text": text}, {"type": "tool_use", "id": uuid, "input": {"type": text}}]
    timestamp = "2026-01-01T00:00:00Z"
    return raw_line(
        parentUuid=None, type="assistant", message={"content": blocks}, uuid=uuid, timestamp=timestamp, **fields
    )


@st.composite
def transcripts(draw: st.DrawFn) -> list[bytes]:
    """Distinct lines as a client writes them: messages, lines without uuid, noise."""
    makers: list[Callable[[int], bytes]] = [
        lambda n: message(f"m{n}", draw(WORDS)),
        lambda n: raw_line(type="ai-title", title=f"{n}"),
        lambda n: raw_line(type="progress", uuid=f"p{n}", data={"type": "user", "n": n}),
        lambda n: raw_line(type="of tomorrow", n=n, text=draw(WORDS)),
    ]
    picks = draw(st.lists(st.sampled_from(makers), min_size=1, max_size=8))
    return [make(n) for n, make in enumerate(picks)]


def read_all(content: bytes) -> tuple[list[PlacedEntry], EntryReader]:
    reader = EntryReader()
    return [*reader.feed(content), *reader.finish()], reader


def contents(placed: list[PlacedEntry]) -> dict[str, str]:
    return {one.entry.key: f"{one.entry.kind} {json.dumps(one.entry.body)}" for one in placed}


def test_entries_come_with_the_place_of_their_line() -> None:
    first, noise, second = message("a"), raw_line(type="progress"), message("b")
    reader = EntryReader()
    placed = reader.feed(first + noise + second + b'{"torn')

    assert [one.entry.key for one in placed] == ["a", "b"]
    assert [(one.offset, one.end) for one in placed] == [
        (0, len(first)),
        (len(first + noise), len(first + noise + second)),
    ]
    assert reader.position == len(first + noise + second)


def test_lines_without_a_time_take_the_last_one() -> None:
    reader = EntryReader(undated=NOW)
    placed = reader.feed(
        raw_line(type="summary")
        + raw_line(type="progress", timestamp="2026-02-02T00:00:00Z")
        + raw_line(type="mode", timestamp="never")
    )

    assert [one.entry.at for one in placed] == [NOW, datetime(2026, 2, 2, tzinfo=UTC)]
    assert reader.last_at == datetime(2026, 2, 2, tzinfo=UTC)
    assert EntryReader().feed(raw_line(type="summary"))[0].entry.at == EPOCH


def test_the_report_counts_everything() -> None:
    reader = EntryReader()
    reader.feed(
        message("a")
        + message("a")
        + message("a", "other words")
        + raw_line(type="progress")
        + raw_line(type="of tomorrow")
        + raw_line(type="of tomorrow", text="x" * 70_000)
        + b"\n"
        + b"[1]\n"
        + message("b", "\x00")
        + b'{"type":"assistant","uuid":"torn'
        + message("c")
    )
    report = reader.report

    assert report.lines == 10
    assert report.blank == 1
    assert report.entries == {"message": 4, "meta": 1}
    assert report.skipped == {"progress": 1, "of tomorrow": 1}
    assert report.unknown == {"of tomorrow": 2}
    assert report.damaged == {"not_object": 1, "not_json": 1}
    assert report.salvaged == 1
    assert report.repaired == 2
    assert (report.duplicates, report.conflicts) == (1, 1)
    assert [damage.reason for damage in report.first_damages] == [Reason.NOT_OBJECT, Reason.NOT_JSON]


def test_a_line_that_only_shares_its_key_is_kept_once_under_another() -> None:
    reader = EntryReader()
    placed = reader.feed(message("a", "x") + message("a", "y") + message("a", "y") + message("a", "x"))

    assert [one.entry.key.partition("~")[0] for one in placed] == ["a", "a"]
    assert placed[0].entry.key == "a"
    assert placed[1].entry.key != "a"
    assert (reader.report.duplicates, reader.report.conflicts) == (2, 1)


def test_memory_for_keys_is_bounded() -> None:
    reader = EntryReader()
    lines = b"".join(raw_line(type="mode", mode=n) for n in range(REMEMBERED_KEYS + 1))
    reader.feed(lines)

    assert len(reader.feed(raw_line(type="mode", mode=REMEMBERED_KEYS))) == 0
    assert len(reader.feed(raw_line(type="mode", mode=0))) == 1


def test_names_from_the_file_cannot_fill_the_report() -> None:
    reader = EntryReader()
    reader.feed(b"".join(raw_line(type=f"{n}" * 100) for n in range(1_000)))
    unknown = reader.report.unknown

    assert sum(unknown.values()) == 1_000
    assert len(unknown) <= 257
    assert max(map(len, unknown)) <= 64


def test_a_last_line_without_newline_is_read_at_the_end() -> None:
    content = message("a") + message("b").rstrip()
    placed, reader = read_all(content)

    assert [one.entry.key for one in placed] == ["a", "b"]
    assert reader.position == len(content)
    assert reader.report.damaged == {}


def test_a_torn_last_line_is_left_for_the_next_reader() -> None:
    placed, reader = read_all(message("a") + message("b")[:50])

    assert [one.entry.key for one in placed] == ["a"]
    assert reader.report.damaged == {"torn": 1}
    assert reader.position == len(message("a"))
    resumed = EntryReader(reader.position, reader.last_at)
    assert [one.entry.key for one in resumed.feed(message("b"))] == ["b"]


def test_a_line_too_long_is_damage_at_the_end_too() -> None:
    reader = EntryReader(max_line=100)
    reader.feed(b"x" * 200)

    assert reader.finish() == []
    assert reader.report.damaged == {"too_long": 1}


def test_a_finished_reader_takes_no_more() -> None:
    _, reader = read_all(b"")
    with pytest.raises(ValueError, match="finished"):
        reader.feed(b"x")


@given(transcripts(), st.lists(st.integers(min_value=0), max_size=12))
def test_any_chunking_gives_the_same_entries(lines: list[bytes], cuts: list[int]) -> None:
    content = b"".join(lines)
    bounds = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    reader = EntryReader()
    chunked = [one for begin, end in pairwise(bounds) for one in reader.feed(content[begin:end])]

    assert chunked == EntryReader().feed(content)


@given(transcripts(), st.data())
def test_reading_on_from_a_position_gives_the_rest(lines: list[bytes], data: st.DataObject) -> None:
    content = b"".join(lines)
    cut = data.draw(st.integers(0, len(content)))
    first = EntryReader()
    before = first.feed(content[:cut])
    after = EntryReader(first.position, first.last_at).feed(content[first.position :])

    assert before + after == EntryReader().feed(content)


@given(transcripts(), st.data())
def test_one_damaged_line_costs_no_other(lines: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(lines) - 1))
    line = lines[index]
    torn = line[: data.draw(st.integers(0, len(line) - 1))]
    damaged = data.draw(st.sampled_from([b"", torn + b"\n", torn, line + line, None]))
    if damaged is None:
        damaged = data.draw(st.binary(max_size=100)) + b"\n"
    content = [*lines[:index], damaged, *lines[index + 1 :]]

    expected = contents(read_all(b"".join(lines[:index] + lines[index + 1 :]))[0])
    assert contents(read_all(b"".join(content))[0]).items() >= expected.items()


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_random_bytes_never_raise(chunks: list[bytes]) -> None:
    reader = EntryReader(max_line=150)
    for chunk in chunks:
        reader.feed(chunk)
    reader.finish()

    assert reader.position <= sum(map(len, chunks))
