import pytest
from hypothesis import given

from shim_checkpointer.domain.digest import SYNTHETIC_MODEL, fold
from shim_checkpointer.domain.log import LogEntry
from shim_checkpointer.domain.passages import MOST_CHARS, Passage, passage_of
from shim_common.contracts.search import PassageKind
from shim_common.contracts.sessions import EntryKind

from ..building import Json, at, calls, entry, log_of, prompt, reply, result, says
from .strategies import logs


def passage(body: Json, kind: EntryKind = EntryKind.MESSAGE, *before: Json) -> Passage | None:
    return passage_of(7, entry(body, kind), fold(log_of(*before)))


def test_a_prompt() -> None:
    assert passage(prompt(" Fix the cart ")) == Passage(7, at(), PassageKind.PROMPT, "Fix the cart")


def test_a_reply_with_calls() -> None:
    found = passage(reply(says("I'll run it."), calls("Bash", command="pytest -q", description="Run tests")))

    assert found == Passage(7, at(), PassageKind.REPLY, "I'll run it.\npytest -q\nRun tests", ("Bash",))


def test_calls_alone_tell_of_files_but_not_of_contents() -> None:
    body = reply(
        calls("Edit", file_path="/shop/cart.py", old_string="secret sauce", new_string="other"),
        calls("Edit", call="toolu_2", file_path="", files=["a.py", "b.py"], patch="*** Begin"),
    )

    assert passage(body) == Passage(7, at(), PassageKind.CALL, "/shop/cart.py\na.py\nb.py", ("Edit",))


def test_a_failure_tells_what_was_called() -> None:
    found = passage(result("2 failed", failed=True), EntryKind.MESSAGE, reply(calls("Bash", command="pytest -q")))

    assert found == Passage(7, at(), PassageKind.ERROR, "pytest -q\n2 failed", ("Bash",), failed=True)


def test_a_failure_whose_call_is_not_known() -> None:
    found = passage(result([{"type": "text", "text": "no such file"}], failed=True))

    assert found == Passage(7, at(), PassageKind.ERROR, "no such file", failed=True)


@pytest.mark.parametrize(
    "body",
    [
        result("3 passed"),
        result("[Tool call interrupted", failed=True),
        prompt("<command-name>/clear</command-name>"),
        prompt("Caveat: the messages below"),
        prompt("kept for the model", isMeta=True),
        prompt("This session continues", isCompactSummary=True),
        prompt("  "),
        reply({"type": "thinking", "thinking": "hm"}),
        reply(says("No response requested."), model=SYNTHETIC_MODEL),
        {"message": "x"},
        {},
    ],
    ids=str,
)
def test_nothing_to_search_for(body: Json) -> None:
    assert passage(body) is None


@pytest.mark.parametrize("kind", [EntryKind.META, EntryKind.USAGE, EntryKind.NOTE, EntryKind.COMPACTION])
def test_kinds_without_words_of_anybody(kind: EntryKind) -> None:
    assert passage({"content": "words", "summary": "words"}, kind) is None


def test_other_kinds() -> None:
    told = passage({"id": "c", "name": "Read", "input": {"file_path": "a.py"}}, EntryKind.TOOL_CALL)
    failed = passage({"id": "c", "output": "denied", "is_error": True}, EntryKind.TOOL_RESULT)
    stated = passage({"operation": "Sort", "todos": [{"content": "screws"}], "progress": 0.5}, EntryKind.STATE)
    error = passage({"error": "overloaded", "retryAttempt": 2}, EntryKind.ERROR)
    local = passage(reply(says("API Error: 529"), model=SYNTHETIC_MODEL, isApiErrorMessage=True))

    assert told == Passage(7, at(), PassageKind.CALL, "a.py", ("Read",))
    assert failed == Passage(7, at(), PassageKind.ERROR, "denied", failed=True)
    assert stated == Passage(7, at(), PassageKind.STATE, "Sort\nscrews")
    assert error == Passage(7, at(), PassageKind.ERROR, "overloaded", failed=True)
    assert local == Passage(7, at(), PassageKind.ERROR, "API Error: 529", failed=True)
    assert passage({"output": "fine"}, EntryKind.TOOL_RESULT) is None


def test_long_texts_are_cut_in_the_middle() -> None:
    found = passage(prompt("first " + "x" * 5000 + " last"))

    assert found is not None
    assert len(found.text) <= MOST_CHARS
    assert found.text.startswith("first ")
    assert found.text.endswith(" last")


@given(logs)
def test_any_log(entries: list[LogEntry]) -> None:
    digest = fold([])
    for position, one in enumerate(entries, start=1):
        found = passage_of(position, one, digest)
        assert found is None or (0 < len(found.text) <= MOST_CHARS and found.position == position)
        digest.add(one)
