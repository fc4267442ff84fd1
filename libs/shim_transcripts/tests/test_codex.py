"""Rollouts that the real Codex 0.169.0 wrote (see `tests/client/record_codex.py`), whole and damaged."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_transcripts import (
    CODEX,
    EntryReader,
    PlacedEntry,
    Reason,
    dangling_calls,
    find_session_file,
    messages,
    rollout_files,
    rollout_origin,
    thread_id_of,
    tool_calls,
)
from shim_transcripts.codex.calls import tool_result, tool_use

FOLDER = Path(__file__).parent / "codex"
TURN, COMPACTED, KILLED = ((FOLDER / f"{name}.jsonl").read_bytes() for name in ("turn", "compacted", "killed"))
PROMPT = "Sort the drawers of the workshop; never throw anything away."
THREAD = "01a1fadb-c6db-7521-8e74-babf74f2c5ad"


def read(content: bytes, step: int = 1 << 20) -> tuple[list[PlacedEntry], EntryReader]:
    reader = EntryReader(dialect=CODEX)
    placed = [one for at in range(0, len(content), step) for one in reader.feed(content[at : at + step])]
    return [*placed, *reader.finish()], reader


def bodies(content: bytes, kind: str = "message") -> list[dict[str, object]]:
    return [one.entry.body for one in read(content)[0] if one.entry.kind == kind]


def test_a_turn_reads_like_one_of_claude_code() -> None:
    said = [(one.role, one.text) for one in messages(bodies(TURN)) if one.text and not one.is_meta]
    assert said == [("user", PROMPT), ("assistant", "First I look."), ("assistant", "The drawers are sorted.")]
    works, fails = tool_calls(bodies(TURN))
    assert (works.name, works.input) == ("Bash", {"command": "echo forty screws"})
    assert works.result is not None
    assert works.result.is_error is False
    assert "forty screws" in str(works.result.content)
    assert fails.result is not None
    assert fails.result.is_error is True


def test_the_turn_is_over_when_codex_says_so_and_not_before() -> None:
    stops = [body["message"]["stop_reason"] for body in bodies(TURN) if body["type"] == "assistant"]  # type: ignore[index]
    assert stops[-1] == "end_turn"
    assert set(stops[:-1]) == {"pause_turn"}


def test_a_killed_turn_leaves_its_call_open() -> None:
    (call,) = dangling_calls(bodies(KILLED))
    assert call.input == {"command": "cat gate"}
    assert all(body["message"].get("stop_reason") != "end_turn" for body in bodies(KILLED))  # type: ignore[attr-defined]


def test_usage_adds_up_to_what_the_model_read() -> None:
    used = bodies(TURN, "usage")
    assert len(used) == 3
    assert all(one["cache_read_input_tokens"] == 200 for one in used)
    assert all(int(str(one["input_tokens"])) + 200 in (1000, 2000, 3000) for one in used)


def test_a_compaction_brings_its_summary_and_is_not_a_reply() -> None:
    compactions = bodies(COMPACTED, "compaction")
    assert compactions
    assert all("Forty screws were found." in str(one["summary"]) for one in compactions[:1])
    assert "Forty screws were found." not in [one.text for one in messages(bodies(COMPACTED))]


def test_everything_is_known_by_name_and_nothing_is_damaged() -> None:
    for content in (TURN, COMPACTED, KILLED):
        report = read(content)[1].report
        assert (report.unknown, report.damaged, report.duplicates) == ({}, {}, 0)


def test_the_origin_is_in_the_first_line_or_else_in_a_later_one() -> None:
    origin = rollout_origin(TURN.splitlines(keepends=True))
    assert origin is not None
    assert (origin.cwd, origin.client_version) == ("/home/ana/project", "0.169.0")
    damaged = rollout_origin([b"{torn\n", *TURN.splitlines(keepends=True)[1:]])
    assert damaged is not None
    assert (damaged.cwd, damaged.client_version) == ("/home/ana/project", None)
    assert rollout_origin([b'{"type":"user","cwd":"/p"}\n', b"\n"]) is None


def test_a_line_glued_to_a_torn_one_is_salvaged_and_its_inner_objects_are_not() -> None:
    lines = TURN.splitlines(keepends=True)
    whole = {one.entry.key for one in read(TURN)[0]}
    torn = b"".join([*lines[:12], lines[12][:200], *lines[13:]])
    placed, reader = read(torn)
    assert reader.report.damaged == {Reason.NOT_JSON: 1}
    assert {one.entry.key for one in placed} <= whole
    assert len(whole) - len(placed) <= 1


@given(cut=st.integers(0, len(TURN)), step=st.integers(100, 5000))
def test_wherever_it_is_cut_the_rest_is_read_on_to_the_same(cut: int, step: int) -> None:
    first = EntryReader(dialect=CODEX)
    placed = first.feed(TURN[:cut])
    second = EntryReader(first.position, first.last_at, dialect=CODEX)
    rest = TURN[first.position :]
    placed += [one for at in range(0, len(rest), step) for one in second.feed(rest[at : at + step])]
    assert [one.entry for one in placed] == [one.entry for one in read(TURN)[0]]


@given(
    st.recursive(
        st.none() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "payload", "content", "role", "usage", "output", "name", "call_id", "summary"]
                ),
                inner,
            )
        ),
    )
)
def test_no_payload_makes_it_fail(payload: object) -> None:
    kinds = ("response_item", "event_msg", "token_usage_record", "compacted", "session_meta")
    lines = [json.dumps({"timestamp": "2026-11-20T21:00:00Z", "type": kind, "payload": payload}) for kind in kinds]
    read("\n".join(lines).encode())


@pytest.mark.parametrize(
    ("payload", "name", "arguments"),
    [
        ({"name": "exec_command", "arguments": '{"cmd":"ls","tty":true}'}, "Bash", {"command": "ls", "tty": True}),
        ({"name": "shell", "arguments": '{"command":["bash","-lc","ls -l"]}'}, "Bash", {"command": "ls -l"}),
        ({"name": "shell", "arguments": '{"command":["echo","a b"]}'}, "Bash", {"command": "echo 'a b'"}),
        ({"type": "local_shell_call", "action": {"command": ["ls"]}}, "Bash", {"command": "ls"}),
        ({"name": "shim__status", "arguments": "{}"}, "shim__status", {}),
        ({"name": "odd", "arguments": "no json"}, "odd", {"text": "no json"}),
    ],
)  # fmt: skip
def test_calls_have_the_names_that_hooks_give_them(
    payload: dict[str, object], name: str, arguments: dict[str, object]
) -> None:
    assert tool_use({**payload, "call_id": "c"}) == {"type": "tool_use", "id": "c", "name": name, "input": arguments}


def test_a_patch_names_its_files() -> None:
    patch = "*** Begin Patch\n*** Add File: a.txt\n+*** Add File: no\n*** Update File: b\n*** Move to: c\n*** End Patch"
    block = tool_use({"name": "apply_patch", "input": patch, "call_id": "c"})
    assert block is not None
    assert (block["name"], block["input"]["files"]) == ("Edit", ["a.txt", "b", "c"])


@pytest.mark.parametrize(
    ("output", "failed"),
    [
        ("Process exited with code 3\nOutput:\n", True),
        ("Process exited with code 0\nOutput:\nProcess exited with code 3\n", False),
        ({"content": "x", "success": False}, True),
        ("unsupported call: x", True),
        ([{"type": "input_text", "text": "Process exited with code 3"}], False),
    ],
)
def test_a_result_failed_if_it_says_so(output: object, failed: bool) -> None:
    block = tool_result({"call_id": "c", "output": output})
    assert block is not None
    assert block["is_error"] is failed


def test_rollouts_are_found_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "sessions" / "2026" / "11" / "20" / f"rollout-2026-11-20T21-27-49-{THREAD}.jsonl"
    path.parent.mkdir(parents=True)
    for one in (path, path.with_name("rollout-notes.jsonl"), tmp_path / "sessions" / "12.json"):
        one.touch()
    assert rollout_files(tmp_path) == [path]
    assert thread_id_of(path) == THREAD
    assert find_session_file(tmp_path, THREAD) == path
    assert find_session_file(tmp_path, "../../etc") is None
