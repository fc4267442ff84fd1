import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shim_transcripts import (
    Record,
    api_calls,
    compactions,
    content_blocks,
    dangling_calls,
    messages,
    parse_line,
    tool_calls,
)
from shim_transcripts.conversation import SYNTHETIC_MODEL

Body = dict[str, Any]

AT = "2026-01-01T00:00:00Z"


def prompt(text: str, uuid: str = "p", **fields: Any) -> Body:
    return {"type": "user", "uuid": uuid, "timestamp": AT, "message": {"role": "user", "content": text}, **fields}


def answer(uuid: str, message_id: str | None, *blocks: Body, output_tokens: int = 1, **message: Any) -> Body:
    usage = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": output_tokens,
    }
    inner = {"id": message_id, "model": "model-1", "content": list(blocks), "usage": usage, **message}
    return {
        "type": "assistant",
        "uuid": uuid,
        "timestamp": AT,
        "version": "2.1.329",
        "requestId": f"req-{message_id}",
        "message": inner,
    }


def text(words: str) -> Body:
    return {"type": "text", "text": words}


def call(call_id: str) -> Body:
    return {"type": "tool_use", "id": call_id, "name": "Bash", "input": {"command": "true"}}


def result(call_id: str, uuid: str = "r", **block: Any) -> Body:
    content = [{"type": "tool_result", "tool_use_id": call_id, "content": "ok", **block}]
    return {"type": "user", "uuid": uuid, "timestamp": AT, "message": {"role": "user", "content": content}}


def test_lines_of_one_answer_are_one_message_even_with_results_between() -> None:
    found = messages(
        [
            prompt("go"),
            answer("a1", "msg", text("first"), call("c1")),
            result("c1"),
            answer("a2", "msg", call("c2")),
            answer("a3", "msg", text("second")),
            answer("b", "other", text("end")),
        ]
    )

    assert [(one.position, one.role, one.id) for one in found] == [
        (0, "user", None),
        (1, "assistant", "msg"),
        (2, "user", None),
        (5, "assistant", "other"),
    ]
    assert [block["type"] for block in found[1].blocks] == ["text", "tool_use", "tool_use", "text"]
    assert found[0].text == "go"
    assert found[1].text == "first\nsecond"
    assert (found[1].model, found[1].at) == ("model-1", datetime(2026, 1, 1, tzinfo=UTC))


def test_a_repeated_line_adds_no_block() -> None:
    line = answer("a1", "msg", text("once"))

    assert [len(one.blocks) for one in messages([line, line])] == [1]


def test_answers_without_an_id_are_not_merged() -> None:
    assert len(messages([answer("a", None, text("1")), answer("b", None, text("2"))])) == 2


def test_calls_are_paired_with_results_by_id() -> None:
    bodies = [answer("a1", "m", call("c1")), answer("a2", "m", call("c2")), result("c2", is_error=True)]
    first, second = tool_calls(bodies)

    assert (first.id, first.name, first.input, first.position) == ("c1", "Bash", {"command": "true"}, 0)
    assert first.result is None
    assert second.result is not None
    assert (second.result.position, second.result.is_error, second.result.content) == (2, True, "ok")
    assert [one.id for one in dangling_calls(bodies)] == ["c1"]


def test_a_result_without_a_call_is_passed_over() -> None:
    assert tool_calls([result("unknown")]) == []


def test_an_api_call_counts_once_with_its_final_usage() -> None:
    found = api_calls(
        [
            answer("a1", "m1", text("x"), output_tokens=2),
            answer("a2", "m1", call("c"), output_tokens=30),
            answer("a3", "m1", call("d"), output_tokens=7),
            answer("b1", "m2", text("y"), output_tokens=4),
        ]
    )

    assert [(one.position, one.output_tokens) for one in found] == [(0, 30), (3, 4)]
    assert found[0].context_tokens == 123
    assert (found[0].input_tokens, found[0].cache_creation_input_tokens) == (3, 20)
    assert found[0].cache_read_input_tokens == 100
    assert (found[0].model, found[0].client_version, found[0].is_sidechain) == ("model-1", "2.1.329", False)


def test_what_the_client_wrote_by_itself_is_no_api_call() -> None:
    assert api_calls([answer("a", "m", text("API Error"), model=SYNTHETIC_MODEL)]) == []
    assert api_calls([prompt("go"), {"type": "assistant", "message": {"id": "m"}}]) == []


def test_odd_usage_counts_as_zero() -> None:
    body = answer("a", "m", usage={"input_tokens": "many", "output_tokens": True, "cache_read_input_tokens": -1})

    assert [(one.context_tokens, one.output_tokens) for one in api_calls([body])] == [(0, 0)]


def test_compactions_say_what_the_line_says() -> None:
    boundary = {
        "type": "system",
        "subtype": "compact_boundary",
        "timestamp": AT,
        "version": "2.1.42",
        "compactMetadata": {"trigger": "auto", "preTokens": 155_000},
    }
    full, bare = compactions([prompt("go"), boundary, {"type": "system", "subtype": "compact_boundary"}])

    assert (full.position, full.trigger, full.pre_tokens, full.client_version) == (1, "auto", 155_000, "2.1.42")
    assert full.at == datetime(2026, 1, 1, tzinfo=UTC)
    assert (bare.position, bare.trigger, bare.pre_tokens, bare.client_version, bare.at) == (2, None, None, None, None)


def test_content_is_blocks_whatever_its_form() -> None:
    assert content_blocks(prompt("hi")) == [text("hi")]
    assert content_blocks({"message": {"content": [text("a"), "odd", 3]}}) == [text("a")]
    assert content_blocks({"message": "odd"}) == []
    assert content_blocks({}) == []


FIELDS = ["type", "message", "uuid", "id", "content", "usage", "tool_use_id", "input", "subtype", "compactMetadata"]
VALUES = st.recursive(
    st.none() | st.integers() | st.sampled_from(["user", "assistant", "system", "tool_use", "compact_boundary", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=20,
)


@given(st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5), max_size=4))
def test_odd_bodies_never_raise(bodies: list[Body]) -> None:
    for view in (messages, tool_calls, dangling_calls, api_calls, compactions):
        found = view(bodies)
        assert [one.position for one in found] == sorted(one.position for one in found)


def test_records_data_serve_as_bodies() -> None:
    record = parse_line(json.dumps(prompt("hi")).encode(), 0)

    assert isinstance(record, Record)
    assert [one.text for one in messages([record.data])] == ["hi"]
