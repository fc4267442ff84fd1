"""Real sessions. They lie beside the repository because they hold real names; skipped where they are not."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shim_transcripts import (
    EntryReader,
    PlacedEntry,
    api_calls,
    compactions,
    dangling_calls,
    looks_like_transcript,
    messages,
    tool_calls,
)

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
TRANSCRIPTS = sorted((SHARED / "transcripts" / "many").glob("*.jsonl.gz"))
GROWING = sorted((SHARED / "transcripts" / "series-fdd24234").glob("*.jsonl.gz"))
FIXTURES = sorted((SHARED / "transcripts" / "fixtures").glob("*.jsonl*"))
CAPTURED = sorted((SHARED / "claude-code-client").glob("session-*.jsonl*"))
SESSIONS = [*TRANSCRIPTS, *GROWING, *FIXTURES, *CAPTURED]

CHUNK = 256 * 1024
SMALL = 50_000
"""Bytes up to which every line of a file is damaged in turn and the whole file read again."""
SAMPLES = 10
"""Lines of a larger file that are damaged in turn, each read again with its neighbours."""
NEIGHBOURS = 3

pytestmark = pytest.mark.skipif(not TRANSCRIPTS, reason=f"no recorded sessions in {SHARED}")


def content_of(path: Path) -> bytes:
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def read(content: bytes) -> tuple[list[PlacedEntry], EntryReader]:
    reader = EntryReader()
    chunks = (content[begin : begin + CHUNK] for begin in range(0, len(content), CHUNK))
    placed = [one for chunk in chunks for one in reader.feed(chunk)]
    return placed + reader.finish(), reader


def naive_objects(content: bytes) -> Iterator[dict[str, Any]]:
    for line in content.split(b"\n"):
        try:
            data = json.loads(line)
        except ValueError:
            continue
        if isinstance(data, dict):
            yield data


@dataclass(frozen=True)
class Session:
    path: Path
    content: bytes
    placed: list[PlacedEntry]
    reader: EntryReader
    objects: list[dict[str, Any]]


@pytest.fixture(scope="module", params=SESSIONS, ids=lambda path: path.name)
def session(request: pytest.FixtureRequest) -> Session:
    content = content_of(request.param)
    return Session(request.param, content, *read(content), list(naive_objects(content)))


def test_every_parseable_message_is_kept_word_for_word(session: Session) -> None:
    expected = [
        {name: value for name, value in data.items() if name != "toolUseResult"}
        for data in session.objects
        if data.get("type") in ("user", "assistant")
    ]

    assert [one.entry.body for one in session.placed if one.entry.kind == "message"] == expected
    assert session.reader.position == len(session.content)


def test_every_line_is_accounted_for(session: Session) -> None:
    report = session.reader.report
    counts = [*report.entries.values(), *report.skipped.values(), *report.damaged.values()]

    assert sum(counts) + report.blank + report.duplicates == report.lines + report.salvaged
    assert len({one.entry.key for one in session.placed}) == len(session.placed)
    if session.path not in FIXTURES:
        assert (report.damaged, report.unknown, report.conflicts, report.repaired) == ({}, {}, 0, 0)


def test_real_sessions_are_recognised(session: Session) -> None:
    assert looks_like_transcript(session.content.splitlines(keepends=True))


def test_the_conversation_agrees_with_a_count_by_hand(session: Session) -> None:
    if session.path in FIXTURES:
        pytest.skip("made to be odd")
    bodies = [one.entry.body for one in session.placed]
    answers = [data for data in session.objects if data["type"] == "assistant"]
    outputs: dict[tuple[str, Any], int] = {}
    for data in answers:
        message = data["message"]
        if message["model"] != "<synthetic>":
            identity = (message["id"], data.get("requestId"))
            outputs[identity] = max(outputs.get(identity, 0), message["usage"]["output_tokens"])
    boundaries = [data for data in session.objects if data.get("subtype") == "compact_boundary"]
    blocks = [
        block
        for data in session.objects
        if data["type"] in ("user", "assistant") and isinstance(data["message"]["content"], list)
        for block in data["message"]["content"]
    ]
    called = dict.fromkeys(block["id"] for block in blocks if block["type"] == "tool_use")
    answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
    merged = [one.id for one in messages(bodies) if one.role == "assistant"]

    assert [one.output_tokens for one in api_calls(bodies)] == list(outputs.values())
    assert [one.pre_tokens for one in compactions(bodies)] == [
        data["compactMetadata"]["preTokens"] for data in boundaries
    ]
    assert merged == list(dict.fromkeys(data["message"]["id"] for data in answers))
    assert [one.id for one in tool_calls(bodies)] == list(called)
    assert [one.id for one in dangling_calls(bodies)] == [one for one in called if one not in answered]


def contents(lines: list[bytes]) -> Counter[str]:
    """What a reader must not lose: every entry, but for times that it had to guess."""
    return Counter(f"{one.entry.kind} {json.dumps(one.entry.body)}" for one in read(b"".join(lines))[0])


def test_one_line_torn_or_removed_costs_no_other(session: Session) -> None:
    lines = session.content.splitlines(keepends=True)
    is_small = len(session.content) <= SMALL
    for index in range(0, len(lines), 1 if is_small else max(1, len(lines) // SAMPLES)):
        first = 0 if is_small else max(0, index - NEIGHBOURS)
        before, line = lines[first:index], lines[index]
        after = lines[index + 1 :] if is_small else lines[index + 1 : index + 1 + NEIGHBOURS]
        others = contents([*before, *after])
        half = line[: len(line) // 2]
        names_session = bool(after) and b'"sessionId"' in after[0]
        # glued to a line that names no session: nothing tells that line from a nested object
        glued = [half, half + b"\xff\x00" + half] if names_session else []
        for damaged in (b"", half + b"\n", *glued):
            assert others <= contents([*before, damaged, *after])


def test_a_growing_session_is_read_on_where_it_was_left() -> None:
    reader = EntryReader()
    keys: list[str] = []
    for path in GROWING:
        content = content_of(path)
        reader = EntryReader(reader.position, reader.last_at)
        keys += [one.entry.key for one in reader.feed(content[reader.position :])]

    assert len(GROWING) > 1
    assert keys == [one.entry.key for one in EntryReader().feed(content_of(GROWING[-1]))]


def test_some_sessions_end_with_a_call_in_flight() -> None:
    killed = [path for path in CAPTURED if "sigkill" in path.name]
    dangling = [dangling_calls([one.entry.body for one in read(content_of(path))[0]]) for path in killed]

    assert [[call.name for call in calls] for calls in dangling] == [["Bash"]]


def test_files_of_other_programs_are_foreign() -> None:
    trajectories = sorted((SHARED / "transcripts" / "swe-agent").glob("*.traj*"))
    gemini = sorted((SHARED / "transcripts").glob("12_*")) + sorted((SHARED / "transcripts").glob("ab_*"))
    streams = [path for path in (SHARED / "claude-code-client").glob("*.jsonl*") if path not in CAPTURED]
    foreign = [*trajectories, *gemini, *streams]

    assert len(foreign) >= 8
    for path in foreign:
        content = content_of(path)
        assert not looks_like_transcript(content.splitlines(keepends=True)), path
        assert read(content)[1].report.lines > 0
        assert read(path.read_bytes())[1].report.lines > 0
