from typing import Any

import pytest
from hypothesis import given

from shim_checkpointer.domain.log import LogEntry
from shim_checkpointer.usecases.foreseeing import observations
from shim_common.contracts.sessions import EntryKind
from shim_risk.model import RiskModel
from shim_risk.observations import ApiCall, Compaction, Observation, Pending
from shim_risk.session import SessionRisk

from ..building import calls, entry, log_of, prompt, reply, result, says
from .strategies import logs


def seen(*entries: LogEntry, last_call: str | None = None) -> list[Observation]:
    return [observation for _, observation in observations(entries, last_call)]


def test_a_turn_as_the_model_of_risk_sees_it() -> None:
    usage = {"input_tokens": 5, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 7}
    told = {"usage": usage, "model": "m-1", "version": "2.1.329"}
    call = ApiCall(115, 7, "m-1", "2.1.329")

    assert seen(*log_of(prompt("x" * 38), reply(says("hm"), **told), reply(calls("Bash"), **told), result("y"))) == [
        Pending(10),
        call,
        Pending(len('[{"type":"tool_result","tool_use_id":"toolu_01A","content":"y","is_error":false}]') // 4),
    ]


def test_a_reply_that_goes_on_in_the_next_append_counts_once() -> None:
    line = entry(reply(says("hm"), usage={"input_tokens": 5}, message_id="msg_7"))

    assert seen(line, last_call="msg_7") == []
    assert [call for call, _ in observations([line], "msg_6")] == ["msg_7"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"compactMetadata": {"trigger": "auto", "preTokens": 160_000}},
            Compaction(automatic=True, pre_tokens=160_000),
        ),
        ({"compactMetadata": {"trigger": "manual", "preTokens": 9}}, Compaction(automatic=False, pre_tokens=9)),
        ({"trigger": "auto", "pre_tokens": 5}, Compaction(automatic=True, pre_tokens=5)),
        ({"compactMetadata": "gone"}, Compaction(automatic=True)),
        ({"compactMetadata": {"preTokens": "many"}}, Compaction(automatic=True)),
    ],
)
def test_compactions(body: dict[str, Any], expected: Compaction) -> None:
    assert seen(entry(body, EntryKind.COMPACTION)) == [expected]


def test_entries_of_clients_without_transcripts() -> None:
    assert seen(
        entry({"input_tokens": 70, "output_tokens": 3, "model": "m[1m]"}, EntryKind.USAGE),
        entry({"id": "c", "output": "x" * 36}, EntryKind.TOOL_RESULT),
    ) == [ApiCall(70, 3, "m[1m]", None, 1_000_000), Pending(len('{"id":"c","output":""}') // 4 + 9)]


@pytest.mark.parametrize(
    "body",
    [
        reply(says("hm"), usage={"input_tokens": 5}, isSidechain=True),
        reply(says("API Error"), usage={"input_tokens": 0}, model="<synthetic>"),
        reply(says("hm")),
        {"message": "not an object"},
        {},
    ],
    ids=["of a subagent", "of the client itself", "without usage", "no message", "nothing"],
)
def test_what_is_no_call_of_the_main_conversation(body: dict[str, Any]) -> None:
    assert seen(entry(body)) == []


def test_notes_and_metadata_say_nothing() -> None:
    assert seen(entry({"usage": {"input_tokens": 5}}, EntryKind.META), entry({"a": 1}, EntryKind.NOTE)) == []


@given(logs)
def test_no_log_upsets_the_model(log: list[LogEntry]) -> None:
    model, state = RiskModel(), SessionRisk()
    for observation in seen(*log):
        state, risk = model.step(state, observation)
        assert 0 <= risk.probability <= 1
    assert SessionRisk.from_json(state.to_json()) == state
