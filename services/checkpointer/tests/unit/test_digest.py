import copy
from collections.abc import Iterable

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.domain.digest import MOST_OPEN_CALLS, Digest, call_summary, fold, plain_text
from shim_checkpointer.domain.log import LogEntry
from shim_common.contracts.sessions import EntryKind, TaskState

from ..building import CALL, at, calls, entry, log_of, prompt, reply, result, says
from .strategies import entries, json_values, logs

LARGEST = 700_000
"""Characters of JSON that no digest exceeds: a hundred paths of 4,096 are more than half of it."""


def through_json(digest: Digest) -> Digest:
    return Digest.from_json(orjson.loads(orjson.dumps(digest.to_json())))


def steps(log: Iterable[LogEntry]) -> Iterable[Digest]:
    digest = Digest()
    for one in log:
        digest.add(one)
        yield digest


@given(logs)
def test_no_entry_breaks_a_digest_and_json_keeps_it_at_every_step(log: list[LogEntry]) -> None:
    for digest in steps(log):
        assert through_json(digest) == digest


@given(logs)
def test_folding_twice_gives_the_same_and_leaves_the_log_alone(log: list[LogEntry]) -> None:
    before = copy.deepcopy(log)

    assert fold(log) == fold(before)
    assert log == before


@given(logs, st.integers(0, 12))
def test_a_stored_digest_goes_on_as_if_it_had_never_been_stored(log: list[LogEntry], cut: int) -> None:
    digest = through_json(fold(log[:cut]))
    for one in log[cut:]:
        digest.add(one)

    assert digest == fold(log)


@given(entries, st.integers(1, 40))
def test_repeating_an_entry_does_not_grow_a_digest_without_end(one: LogEntry, times: int) -> None:
    assert len(orjson.dumps(fold([one] * times).to_json()).decode()) < LARGEST


@given(logs)
def test_what_was_stated_is_a_valid_task(log: list[LogEntry]) -> None:
    stated = fold(log).stated

    TaskState(operation=stated.get("operation"), phase=stated.get("phase"), progress=stated.get("progress"))
    assert all(isinstance(blocker, str) for blocker in stated.get("blockers", []))


def test_a_digest_stays_small_whatever_is_thrown_at_it() -> None:
    huge = "0" * 5_000
    log = []
    for number in range(120):
        tag = f"{number}{huge}"
        todos = [{"content": tag, "status": tag, "id": tag, "more": tag}] * 100
        log += [
            entry(prompt(f"Never do {tag}. Always {tag}", version=tag, cwd=tag)),
            entry(reply(says(f"I'll use {tag}."), message_id=tag, model=tag, usage={"input_tokens": 2**64 - 1})),
            entry(reply(calls("Edit", tag, file_path=f"/{tag}"), calls("Edit", f"e{number}", file_path=f"/{number}"))),
            entry(reply(calls(tag, f"{number}", command=tag, **{tag: tag}), calls("TodoWrite", todos=todos))),
            entry(reply(calls("TaskCreate", subject=tag), calls("TaskUpdate", taskId="1", status=tag))),
            entry(reply(calls("ExitPlanMode", plan=tag))),
            entry(result(tag, tag, failed=True)),
            entry({"error": tag, "retryAttempt": 1}, EntryKind.ERROR),
            entry({"summary": tag}, EntryKind.COMPACTION),
            entry(prompt(tag, isCompactSummary=True)),
            entry(
                {
                    "operation": tag,
                    "phase": tag,
                    "blockers": [tag] * 99,
                    "decisions": [tag] * 99,
                    "todos": todos,
                    tag: 1,
                },
                EntryKind.STATE,
            ),
        ]
    digest = fold(log)

    assert len(orjson.dumps(digest.to_json())) < 150_000
    assert len(digest.files) == 100
    assert through_json(digest) == digest


@given(json_values)
def test_any_content_has_a_plain_text(content: object) -> None:
    assert isinstance(plain_text(content), str)


def test_a_turn() -> None:
    digest = fold(
        log_of(
            prompt("Add a cart. Never touch the payments.", version="2.1.329"),
            reply(
                says("I'll use a table for it."),
                calls("Edit", file_path="/home/ana/webshop/cart.py"),
                model="m-1",
                usage={"input_tokens": 10, "cache_read_input_tokens": 1000},
            ),
            result("ok"),
            reply(says("Done."), message_id="msg_2", usage={"input_tokens": 20, "cache_read_input_tokens": 1500}),
        )
    )

    assert digest.prompts == [[at(0).isoformat(), "Add a cart. Never touch the payments."]]
    assert digest.constraints == ["Never touch the payments."]
    assert digest.decisions == ["I'll use a table for it."]
    assert digest.files == {"/home/ana/webshop/cart.py": 1}
    assert (digest.messages, digest.tool_calls, digest.open_calls) == (3, 1, {})
    assert (digest.context_tokens, digest.context_growth) == (1520, 510)
    assert digest.latencies == [1.0, 1.0]
    assert (digest.model, digest.client_version) == ("m-1", "2.1.329")
    assert (digest.last_reply, digest.replied_at, digest.turn_open) == ("Done.", at(3).isoformat(), False)


def test_usage_repeated_for_each_block_of_a_reply_counts_once() -> None:
    usage = {"input_tokens": 100}
    first, second = (reply(block, usage=usage) for block in (says("Let me see."), calls("Read")))

    digest = fold(log_of(first, second, result(), reply(says("ok"), message_id="msg_2", usage={"input_tokens": 130})))

    assert (digest.context_tokens, digest.context_growth) == (130, 30)


@pytest.mark.parametrize(
    ("last", "is_open"),
    [
        (reply(says("Done.")), False),
        (reply(says("Done."), stop_reason="end_turn"), False),
        (reply(says("Let me look."), stop_reason="tool_use"), True),
        (reply({"type": "thinking", "thinking": "hm"}), True),
        (reply(calls("Bash", command="make")), True),
        (reply({"type": "thinking", "thinking": "hm"}, stop_reason="end_turn"), False),
        (result(), True),
        (prompt("And now?"), True),
        (prompt("<command-name>/clear</command-name>"), True),
        (reply(says("API Error: 500"), model="<synthetic>", isApiErrorMessage=True), True),
        (reply(calls("Bash"), isSidechain=True), True),
        (reply(says("I am a subagent and done."), isSidechain=True), True),
    ],
)
def test_a_turn_is_open_until_the_last_words(last: dict[str, object], *, is_open: bool) -> None:
    assert fold(log_of(prompt("Add a cart"), last)).turn_open is is_open


def test_a_call_without_an_outcome_stays_open() -> None:
    lost = "[Tool call interrupted: the session ended before this call's result was recorded]"
    digest = fold(log_of(prompt("Go"), reply(calls("Bash", command="make")), result(lost, failed=True)))

    assert digest.open_calls[CALL].summary == "make"
    assert (digest.tool_failures, digest.last_error) == (0, None)


def test_no_call_of_a_finished_turn_is_in_flight() -> None:
    digest = fold(
        log_of(
            prompt("Go"),
            reply(calls("Bash", "toolu_main", command="make")),
            reply(calls("Grep", "toolu_side", pattern="x"), isSidechain=True),
            reply(says("It was interrupted before; all is done now."), message_id="msg_2"),
        )
    )

    assert list(digest.open_calls) == ["toolu_side"]
    assert digest.settled_at == at(3).isoformat()


def test_failures_in_a_row() -> None:
    digest = fold(
        log_of(
            reply(calls("Bash", "1", command="make"), calls("Bash", "2", command="make test")),
            result("Exit code 1\nbad", "1", failed=True),
            result("Exit code 2\nworse", "2", failed=True),
        )
    )
    assert (digest.tool_failures, digest.error_streak) == (2, 2)
    assert digest.last_error == [at(2).isoformat(), "Bash: make test", "Exit code 2\nworse"]

    digest.add(entry(reply(calls("Bash", "3", command="ls"))))
    digest.add(entry(result("fine", "3")))
    assert (digest.tool_failures, digest.error_streak) == (2, 0)


def test_what_a_client_says_by_itself_on_resume_is_no_error() -> None:
    assert fold(log_of(reply(says("No response requested."), model="<synthetic>"))).last_error is None


def test_an_api_error_is_the_last_error_and_retries_count_until_the_next_prompt() -> None:
    digest = fold(
        [
            entry(prompt("Go")),
            entry({"subtype": "api_error", "retryAttempt": 1, "error": {"status": 529}}, EntryKind.ERROR),
            entry({"subtype": "api_error", "retryAttempt": 2, "error": {"status": 529}}, EntryKind.ERROR),
            entry(reply(says("API Error: 529 overloaded"), model="<synthetic>", isApiErrorMessage=True), seconds=3),
        ]
    )

    assert digest.api_retries == 2
    assert digest.last_error == [at(3).isoformat(), "API", "API Error: 529 overloaded"]
    digest.add(entry(prompt("Again")))
    assert digest.api_retries == 0


def test_tasks_are_followed() -> None:
    digest = fold(
        log_of(
            reply(calls("TaskCreate", "1", subject="Write the cart"), calls("TaskCreate", "2", subject="Test it")),
            reply(calls("TaskUpdate", "3", taskId="2", status="in_progress")),
        )
    )
    assert [(todo["content"], todo["status"]) for todo in digest.todos] == [
        ("Write the cart", "pending"),
        ("Test it", "in_progress"),
    ]

    digest.add(
        entry(reply(calls("TodoWrite", "4", todos=[{"content": "One", "status": "completed", "activeForm": "…"}])))
    )
    assert digest.todos == [{"content": "One", "status": "completed", "activeForm": "…"}]


def test_stated_fields_stay_until_they_are_cleared() -> None:
    digest = fold(
        [
            entry(
                {"operation": "Add a cart", "phase": "tests", "progress": 0.5, "blockers": ["no key"]}, EntryKind.STATE
            ),
            entry({"phase": "docs", "progress": 7, "decisions": ["One table"], "todos": ["Write it"]}, EntryKind.STATE),
        ]
    )
    assert digest.stated == {"operation": "Add a cart", "phase": "docs", "blockers": ["no key"]}
    assert (digest.decisions, digest.todos) == (["One table"], [{"content": "Write it"}])

    digest.add(entry({"blockers": [], "operation": ""}, EntryKind.STATE))
    assert digest.stated == {"phase": "docs"}


def test_a_compaction_makes_room_and_its_summary_is_kept() -> None:
    digest = fold(
        [
            entry(prompt("Go")),
            entry(reply(says("hm"), usage={"input_tokens": 160_000})),
            entry({"subtype": "compact_boundary"}, EntryKind.COMPACTION),
            entry(prompt("This session is being continued: a cart is under way.", isCompactSummary=True)),
        ]
    )

    assert (digest.context_tokens, digest.compactions) == (0, 1)
    assert digest.summary == "This session is being continued: a cart is under way."
    assert len(digest.prompts) == 1


def test_only_so_many_open_calls_are_kept_the_newest() -> None:
    digest = fold(log_of(*(reply(calls("Bash", f"toolu_{number}")) for number in range(MOST_OPEN_CALLS + 5))))

    assert next(iter(digest.open_calls)) == "toolu_5"
    assert len(digest.open_calls) == MOST_OPEN_CALLS


def test_entries_of_clients_without_transcripts() -> None:
    digest = fold(
        [
            entry({"role": "user", "content": "Add a cart"}),
            entry({"id": "c1", "name": "shell", "input": {"command": "make"}}, EntryKind.TOOL_CALL),
            entry({"id": "c1", "output": "Exit 2", "is_error": True}, EntryKind.TOOL_RESULT),
            entry({"input_tokens": 500}, EntryKind.USAGE),
            entry({"text": "nothing follows from it"}, EntryKind.NOTE),
        ]
    )

    assert (digest.first_prompt, digest.tool_calls, digest.tool_failures, digest.context_tokens) == (
        "Add a cart",
        1,
        1,
        500,
    )
    assert digest.last_error is not None
    assert digest.last_error[1:] == ["shell: make", "Exit 2"]


def test_fields_of_another_version_are_left_out() -> None:
    assert Digest.from_json({**Digest(messages=3).to_json(), "mood": "good"}) == Digest(messages=3)


@pytest.mark.parametrize(
    ("arguments", "summary"),
    [
        ({"command": "make  test\n"}, "make test"),
        ({"file_path": "/a/b.py", "old_string": "x"}, "/a/b.py"),
        ({"pattern": "cart", "path": "/src"}, "/src"),
        ({"command": ["make"]}, "{'command': ['make']}"),
        ({}, "Bash"),
    ],
)
def test_what_a_call_is_about(arguments: dict[str, object], summary: str) -> None:
    assert call_summary("Bash", arguments) == summary
