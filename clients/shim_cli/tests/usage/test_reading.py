from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_cli.usage.calls import Call, call_of
from shim_cli.usage.ledger import Ledger
from shim_cli.usage.reading import Findings, read
from shim_cli.usage.sources import project_folder_of, transcripts
from shim_prices import Usage

from .lines import CWD, FOLDER, OTHER, SESSION, reply, shown, text, write


def reads(*paths: Path) -> Findings:
    return read(transcripts(paths))


def outputs(findings: Findings) -> list[int]:
    return [call.usage.output for call in findings.ledger.calls()]


def call(line: dict[str, Any]) -> Call:
    found = call_of(line)
    assert isinstance(found, Call)
    return found


def test_a_request_in_full(tmp_path: Path) -> None:
    write(tmp_path, reply(1, output=7))
    (found,) = reads(tmp_path).ledger.calls()
    assert found.usage == Usage(input=1000, output=7, cache_write_1h=2000, cache_read=100_000)
    assert (found.session, found.agent, found.cwd, found.at.day) == (SESSION, None, CWD, 1)


def test_the_lines_of_a_reply_count_once_with_the_final_output(tmp_path: Path) -> None:
    write(tmp_path, reply(1, output=1), reply(1, output=90), reply(1, output=1), reply(2, output=5))
    findings = reads(tmp_path)
    assert outputs(findings) == [90, 5]
    assert findings.ledger.repeats == 2


def test_forks_and_resumed_files_add_nothing(tmp_path: Path) -> None:
    write(tmp_path, reply(1), reply(2))
    write(tmp_path, reply(1, sessionId=OTHER), reply(2, sessionId=OTHER), reply(3, sessionId=OTHER), name=OTHER)
    assert [found.session for found in reads(tmp_path).ledger.calls()] == [SESSION, SESSION, OTHER]


def test_another_request_with_the_same_message_id_is_another_one(tmp_path: Path) -> None:
    write(tmp_path, reply(1), reply(1, requestId="req_99"))
    assert len(outputs(reads(tmp_path))) == 2


def test_without_a_request_id_the_message_id_is_enough(tmp_path: Path) -> None:
    write(tmp_path, reply(1, output=1, requestId=None), reply(1, output=2, requestId=None))
    assert outputs(reads(tmp_path)) == [2]


def test_without_any_id_a_line_is_its_own(tmp_path: Path) -> None:
    nameless = {"message": {**reply(1)["message"], "id": None}}
    write(tmp_path, reply(1, **nameless), reply(1, **nameless), reply(1, uuid=None, **nameless))
    assert len(outputs(reads(tmp_path))) == 2


def test_a_subagents_file_belongs_to_its_session(tmp_path: Path) -> None:
    write(tmp_path, reply(1))
    agent = reply(2, isSidechain=True, agentId="a1")
    write(tmp_path, agent, name="agent-a1", folder=f"{FOLDER}/{SESSION}/subagents")
    assert [(one.session, one.agent) for one in reads(tmp_path).ledger.calls()] == [(SESSION, None), (SESSION, "a1")]


def test_what_is_only_shown_of_a_subagent_counts(tmp_path: Path) -> None:
    write(tmp_path, reply(1), shown(reply(2, output=1), "a1"), shown(reply(2, output=1), "a1"))
    assert [(one.agent, one.usage.output) for one in reads(tmp_path).ledger.calls()] == [(None, 10), ("a1", 1)]


def test_a_subagent_that_is_shown_and_has_its_file_counts_once(tmp_path: Path) -> None:
    write(tmp_path, shown(reply(2, output=1), "a1"))
    own = reply(2, output=80, isSidechain=True, agentId="a1")
    write(tmp_path, own, name="agent-a1", folder=f"{FOLDER}/{SESSION}/subagents")
    assert outputs(reads(tmp_path)) == [80]


def test_a_replay_of_the_main_conversation_in_a_subagents_file_adds_nothing(tmp_path: Path) -> None:
    write(tmp_path, reply(1))
    replay = reply(1, isSidechain=True, agentId="a1", requestId="req_other")
    write(tmp_path, replay, name="agent-a1", folder=f"{FOLDER}/{SESSION}/subagents")
    findings = reads(tmp_path)
    assert len(findings.ledger.calls()) == findings.ledger.repeats == 1


def test_synthetic_replies_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, reply(1), reply(2, model="<synthetic>"))
    findings = reads(tmp_path)
    assert (len(findings.ledger.calls()), findings.synthetic) == (1, 1)


@pytest.mark.parametrize(
    "wrong", [{"type": "user"}, {"message": "text"}, {"timestamp": "soon"}, {"sessionId": None}, {"type": "progress"}]
)
def test_other_lines_are_passed_over(wrong: dict[str, Any]) -> None:
    assert call_of({**reply(1), **wrong}) is None


def test_a_torn_line_is_counted_and_survived(tmp_path: Path) -> None:
    file = write(tmp_path, reply(1), reply(2))
    file.write_text(file.read_text() + text(reply(3))[:200])
    findings = reads(tmp_path)
    assert (len(findings.ledger.calls()), findings.damaged) == (2, 1)


def test_a_line_behind_a_torn_one_is_found(tmp_path: Path) -> None:
    file = write(tmp_path, reply(1))
    file.write_text(file.read_text() + text(reply(2))[:200] + text(reply(3)))
    findings = reads(tmp_path)
    assert [one.message_id for one in findings.ledger.calls()] == ["msg_1", "msg_3"]
    assert findings.damaged == 1


def test_bytes_that_are_no_text_are_survived(tmp_path: Path) -> None:
    file = write(tmp_path, reply(1))
    file.write_bytes(file.read_bytes() + b"\0" * 5000 + b"\n\xff\xfe\n[1]\n\n" + text(reply(2)).encode())
    findings = reads(tmp_path)
    assert (len(findings.ledger.calls()), findings.damaged) == (2, 1)


@given(st.integers(1, 1400))
def test_wherever_a_transcript_is_cut_the_whole_lines_are_counted(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    whole = text(reply(1), reply(2), reply(3))
    file = write(tmp_path_factory.mktemp("cut"))
    file.write_text(whole[:-cut] if cut < len(whole) else whole)
    ends = file.read_text()
    complete = ends.count("\n") + (1 if ends.endswith("}") and whole[len(ends)] == "\n" else 0)
    assert len(reads(file).ledger.calls()) == complete


def test_other_programs_files_are_told_apart(tmp_path: Path) -> None:
    write(tmp_path, {"type": "message", "usage": {}}, name=OTHER)
    findings = reads(tmp_path)
    assert (findings.files, findings.foreign, findings.damaged) == (0, 1, 0)


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    findings = read([tmp_path / "gone.jsonl"])
    assert findings.unreadable == [f"{tmp_path / 'gone.jsonl'}: No such file or directory"]


def test_a_project_is_the_directory_that_its_folder_is_named_after(tmp_path: Path) -> None:
    write(tmp_path, reply(1, cwd=f"{CWD}/frontend"), reply(2), reply(3, cwd="/tmp"))
    assert reads(tmp_path).projects == {SESSION: CWD}


def test_elsewhere_it_is_the_first_directory(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    file.write_text(text(reply(1, cwd="/first"), reply(2, cwd="/second")))
    assert reads(file).projects == {SESSION: "/first"}


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("/c/projects/-p/s.jsonl", "-p"),
        ("/c/projects/-p/s/subagents/agent-1.jsonl", "-p"),
        ("/home/projects/c/projects/-p/s.jsonl", "-p"),
        ("/c/projects/s.jsonl", None),
        ("/c/s.jsonl", None),
    ],
)
def test_the_projects_folder(path: str, folder: str | None) -> None:
    assert project_folder_of(Path(path)) == folder


def test_each_transcript_is_read_once_and_subagents_last(tmp_path: Path) -> None:
    agent = write(tmp_path, name="agent-a", folder=f"{FOLDER}/0/subagents")
    main = write(tmp_path)
    (tmp_path / "history.jsonl").write_text("")
    assert transcripts([tmp_path, main, main.parent, agent]) == [main, agent]


numbered = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 99)))


@given(numbered)
def test_a_ledger_keeps_the_largest_output_of_each_reply(lines: list[tuple[int, int]]) -> None:
    ledger = Ledger()
    for number, output in lines:
        ledger.add(call(reply(number, output=output)))
    assert {one.message_id: one.usage.output for one in ledger.calls()} == _largest(lines)
    assert ledger.repeats + len(ledger.calls()) == len(lines)


def _largest(lines: Iterable[tuple[int, int]]) -> dict[str, int]:
    return {f"msg_{number}": max(output for other, output in lines if other == number) for number, _ in lines}
