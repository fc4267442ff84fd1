"""The recording that ships with the product, and the story it was made from."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness.script import Reply, ToolCall
from record_webshop import HERE, OUTPUT, PLACE, without_noise
from webshop_story import LAST_COMMAND, TESTS, Plot

Json = dict[str, Any]

LARGEST = 400_000
"""Bytes; it is part of every installation."""


@pytest.fixture(scope="module")
def transcript() -> list[Json]:
    return [json.loads(line) for line in (OUTPUT / "webshop.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def hooks() -> list[Json]:
    return [json.loads(line) for line in (OUTPUT / "webshop.hooks.jsonl").read_text().splitlines()]


def blocks(transcript: list[Json], kind: str) -> list[Json]:
    contents = [line["message"]["content"] for line in transcript if "message" in line]
    return [block for content in contents if isinstance(content, list) for block in content if block["type"] == kind]


def test_ends_with_a_call_in_flight(transcript: list[Json], hooks: list[Json]) -> None:
    called = [block["id"] for block in blocks(transcript, "tool_use")]
    answered = [block["tool_use_id"] for block in blocks(transcript, "tool_result")]
    assert len(called) == len(set(called)) > 40
    assert set(called) - set(answered) == {called[-1]}
    last = hooks[-1]["payload"]
    assert (last["hook_event_name"], last["tool_use_id"]) == ("PreToolUse", called[-1])
    assert last["tool_input"]["command"] == LAST_COMMAND


def test_hooks_and_transcript_tell_the_same(transcript: list[Json], hooks: list[Json]) -> None:
    payloads = [hook["payload"] for hook in hooks]
    before = {p["tool_use_id"] for p in payloads if p["hook_event_name"] == "PreToolUse"}
    after = {p["tool_use_id"] for p in payloads if p["hook_event_name"] in ("PostToolUse", "PostToolUseFailure")}
    assert before == {block["id"] for block in blocks(transcript, "tool_use")}
    assert after == {block["tool_use_id"] for block in blocks(transcript, "tool_result")}
    assert [p["prompt"] for p in payloads if "prompt" in p] == [
        line["message"]["content"]
        for line in transcript
        if line["type"] == "user" and isinstance(line["message"]["content"], str)
    ]
    times = [hook["received_at"] for hook in hooks]
    assert times == sorted(times)


def test_every_pointer_leads_to_a_line(transcript: list[Json]) -> None:
    known = {line["uuid"] for line in transcript if "uuid" in line}
    pointers = [line[key] for line in transcript for key in ("parentUuid", "leafUuid") if line.get(key)]
    assert set(pointers) <= known


def test_names_nothing_but_its_own_folder() -> None:
    text = "".join(path.read_text() for path in OUTPUT.glob("webshop*"))
    assert len(text.encode()) < LARGEST
    for place in ("/home/", "/root", "/usr/", "/Users/", ".pyenv"):
        assert place not in text.replace(f"{PLACE}/home/", "")


def test_lines_left_out_are_passed_over() -> None:
    lines = [
        '{"type":"user","parentUuid":null,"uuid":"a"}',
        '{"type":"attachment","parentUuid":"a","uuid":"b"}',
        '{"type":"attachment","parentUuid":"b","uuid":"c"}',
        '{"type":"assistant","parentUuid":"c","uuid":"d"}',
        '{"type":"tools-used"}',
        '{"type":"last-prompt","leafUuid":"c"}',
    ]
    assert without_noise(lines) == [
        lines[0],
        '{"type":"assistant","parentUuid":"a","uuid":"d"}',
        '{"type":"last-prompt","leafUuid":"a"}',
    ]


def test_the_story_works_out(tmp_path: Path) -> None:
    """Play the calls without a client: edits must fit, and the tests fail where the story says so."""
    project = tmp_path / "webshop"
    shutil.copytree(HERE / "webshop", project)
    outcomes = []
    plot = Plot(project, pace=0)
    for call in calls_of([*plot.first_turn(), *plot.second_turn()]):
        if call.name == "Edit":
            path = Path(call.input["file_path"])
            assert path.read_text().count(call.input["old_string"]) == 1
            path.write_text(path.read_text().replace(call.input["old_string"], call.input["new_string"]))
        elif call.name == "Write":
            Path(call.input["file_path"]).write_text(call.input["content"])
        elif call.name == "Bash" and TESTS in call.input["command"]:
            outcomes.append(passes_tests(project))
    assert outcomes == [True, False, True, True, False, True, True, True]
    assert "payments" not in changed_files(project)


def calls_of(replies: list[Reply]) -> list[ToolCall]:
    return [block for reply in replies for block in reply.blocks if isinstance(block, ToolCall)]


def passes_tests(project: Path) -> bool:
    # -B, or a source changed twice within a second would be run from the cache of its first form
    return subprocess.run([sys.executable, "-B", "-m", "unittest"], cwd=project, capture_output=True).returncode == 0


def changed_files(project: Path) -> str:
    differs = ["diff", "-rq", str(HERE / "webshop"), str(project)]
    return subprocess.run(differs, capture_output=True, text=True).stdout
