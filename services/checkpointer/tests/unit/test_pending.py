from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.domain.digest import OpenCall
from shim_checkpointer.domain.pending import Observation, pending_calls
from shim_common.contracts.sessions import PendingCall, ToolProcess

from ..building import CALL, at
from .strategies import json_objects


def call(command: str = "make", name: str = "Bash", seconds: float = 10) -> OpenCall:
    return OpenCall(name, command, at(seconds).isoformat())


def saw(kind: str, subject: str | None = CALL, seconds: float = 10, **body: Any) -> Observation:
    return Observation(kind, subject, at(seconds), {"tool_name": "Bash", "tool_input": {"command": "make"}, **body})


def process(command: str, pid: int = 77, seconds: float = 11) -> ToolProcess:
    return ToolProcess(pid=pid, created=at(seconds).timestamp(), command=command)


def wrapped(command: str, **about: Any) -> ToolProcess:
    """A shell as Claude Code starts it."""
    return process(f"/bin/bash -c source /x/snapshot.sh && eval '{command}' < /dev/null", **about)


def only(calls: list[PendingCall]) -> PendingCall:
    assert len(calls) == 1
    return calls[0]


def test_nothing_open_is_nothing_pending() -> None:
    assert pending_calls({}, [], [wrapped("make")]) == []


def test_a_call_that_nobody_saw_end_is_unknown() -> None:
    judged = only(pending_calls({CALL: call()}, [saw("PreToolUse")], []))

    assert (judged.outcome, judged.summary, judged.output, judged.process) == ("unknown", "make", None, None)
    assert judged.started_at == at(10)


def test_a_call_that_only_a_hook_saw_begin() -> None:
    judged = only(pending_calls({}, [saw("PreToolUse", tool_input={"command": "make test"})], []))

    assert (judged.tool_use_id, judged.name, judged.summary, judged.outcome) == (CALL, "Bash", "make test", "unknown")


@pytest.mark.parametrize("log", [{}, {CALL: call()}], ids=["not in the log", "in the log"])
@pytest.mark.parametrize(
    ("kind", "body", "outcome", "output"),
    [
        ("PostToolUse", {"tool_response": {"stdout": "ok", "stderr": "warned"}}, "finished", "ok\nwarned"),
        ("PostToolUse", {"tool_response": {"stdout": "", "stderr": ""}}, "finished", ""),
        ("PostToolUse", {"tool_response": {"filePath": "/a.py"}}, "finished", "/a.py was written"),
        ("PostToolUse", {"tool_response": [{"type": "text", "text": "from MCP"}]}, "finished", "from MCP"),
        ("PostToolUse", {"tool_response": "plain"}, "finished", "plain"),
        ("PostToolUse", {"tool_response": {"count": 3}}, "finished", "{'count': 3}"),
        ("PostToolUse", {}, "finished", ""),
        ("PostToolUseFailure", {"error": "Exit code 3\nbad"}, "failed", "Exit code 3\nbad"),
    ],
)
def test_a_hook_saw_the_end(
    log: dict[str, OpenCall], kind: str, body: dict[str, Any], outcome: str, output: str
) -> None:
    judged = only(pending_calls(log, [saw("PreToolUse"), saw(kind, seconds=11, **body)], [wrapped("make")]))

    assert (judged.outcome, judged.output, judged.process) == (outcome, output, None)


def test_an_end_without_a_beginning_is_told_too() -> None:
    assert only(pending_calls({}, [saw("PostToolUse", tool_response="ok")], [])).outcome == "finished"


def test_a_long_output_is_cut() -> None:
    judged = only(pending_calls({}, [saw("PostToolUse", tool_response={"stdout": "x" * 10_000, "stderr": ""})], []))

    assert judged.output is not None
    assert len(judged.output) == 1500


def test_other_events_prove_nothing() -> None:
    seen = [saw("UserPromptSubmit", "p1"), saw("Stop", "reply:1"), saw("PostToolBatch"), saw("PreToolUse", None)]

    assert pending_calls({}, seen, []) == []


@pytest.mark.parametrize(
    "command",
    ["make", "cat gate", "./run.sh --all", "echo one;  sleep 40", "make \\\n  test", "x" * 30 + " " + "y" * 300],
)
def test_a_process_that_names_the_command_is_the_call(command: str) -> None:
    summary = " ".join(command.split())
    shown = summary if len(summary) <= 200 else f"{summary[:131]} … {summary[-66:]}"
    others = [process("node server.js", 1, seconds=-500), wrapped(command, pid=2)]

    judged = only(pending_calls({CALL: call(shown)}, [], others))

    assert judged.outcome == "running"
    assert judged.process is not None
    assert judged.process.pid == 2


def test_the_only_call_owns_a_younger_process_that_does_not_name_it() -> None:
    escaped = process("/bin/bash -c eval 'echo '\\''a'\\'''")

    assert only(pending_calls({CALL: call("echo 'a'")}, [], [escaped])).outcome == "running"


@pytest.mark.parametrize("command", ["sh -c '[ -x /py ] && /py shim_hook.py'", "/py -I -m shim_mcp", "claude -p on"])
def test_hooks_servers_and_clients_are_no_calls(command: str) -> None:
    assert only(pending_calls({CALL: call("make")}, [], [process(command)])).outcome == "unknown"


def test_a_process_that_is_older_than_the_call_is_another_ones() -> None:
    server = process("node server.js", seconds=-60)

    assert only(pending_calls({CALL: call("make")}, [], [server])).outcome == "unknown"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_each_of_several_calls_finds_its_own_process(order: tuple[int, ...]) -> None:
    calls = {"a": call("make"), "b": call("make test"), "c": call("ls")}
    processes = [wrapped("make test", pid=2), wrapped("make", pid=1), wrapped("npm run tools", pid=3)]

    judged = pending_calls(calls, [], [processes[index] for index in order])

    assert {one.tool_use_id: one.process.pid if one.process else None for one in judged} == {"a": 1, "b": 2, "c": None}


def test_a_name_inside_another_word_is_no_match() -> None:
    calls = {"a": call("ls"), "b": call("cat x")}

    assert [one.outcome for one in pending_calls(calls, [], [wrapped("npm run tools")])] == ["unknown", "unknown"]


def test_only_shell_commands_run_as_processes() -> None:
    assert only(pending_calls({CALL: call("make", name="Task")}, [], [wrapped("make")])).outcome == "unknown"


def test_a_call_that_ended_does_not_claim_the_process_of_one_that_runs() -> None:
    calls = {"a": call("make"), "b": call("make")}
    judged = pending_calls(calls, [saw("PostToolUse", "a", tool_response="ok")], [wrapped("make")])

    assert {one.tool_use_id: one.outcome for one in judged} == {"a": "finished", "b": "running"}


def test_what_hooks_saw_before_the_last_settled_turn_is_over() -> None:
    seen = [saw("PreToolUse", "old"), saw("PostToolUse", "older", seconds=5), saw("PreToolUse", "new", seconds=30)]

    judged = pending_calls({}, seen, [], at(20).isoformat())

    assert [one.tool_use_id for one in judged] == ["new"]


def test_oldest_first() -> None:
    calls = {"b": call(seconds=2), "c": call(seconds=3), "a": call(seconds=1)}

    assert [one.tool_use_id for one in pending_calls(calls, [], [])] == ["a", "b", "c"]


_kinds = st.sampled_from(["PreToolUse", "PostToolUse", "PostToolUseFailure", "Stop"])
_ids = st.sampled_from(["a", "b", "c"])
_observations = st.builds(Observation, _kinds, _ids | st.none(), st.integers(0, 99).map(at), json_objects)


@given(
    st.dictionaries(_ids, st.builds(call, st.text(max_size=20))),
    st.lists(_observations, max_size=8),
    st.lists(st.builds(process, st.text(max_size=30), st.integers(1, 9)), max_size=3),
)
def test_every_open_call_is_judged_once_and_no_process_owns_two(
    open_calls: dict[str, OpenCall], seen: list[Observation], processes: list[ToolProcess]
) -> None:
    judged = pending_calls(open_calls, seen, processes)
    ids = [one.tool_use_id for one in judged]
    running = [one.process for one in judged if one.outcome == "running"]

    assert len(set(ids)) == len(ids)
    assert set(open_calls) <= set(ids)
    assert len(running) <= len(processes)
    assert all(one.process is None for one in judged if one.outcome != "running")
