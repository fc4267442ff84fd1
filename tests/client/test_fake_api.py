"""The scripted API, spoken to over HTTP as a client would."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession
from harness.fake_api import FakeApi
from harness.script import Fault, Point, Refusal, Text, ToolCall, Trouble, bash, calls, says

ASK: dict[str, Any] = {"model": "claude-test", "tools": [{"name": "Bash"}], "messages": []}
SESSION = {"X-Claude-Code-Session-Id": "s1"}


@pytest.fixture
async def http() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


async def ask(http: ClientSession, api: FakeApi, **more: Any) -> dict[str, Any]:
    async with http.post(f"{api.url}/v1/messages?beta=true", json={**ASK, **more}, headers=SESSION) as got:
        body: dict[str, Any] = await got.json()
        return body


async def stream(http: ClientSession, api: FakeApi) -> list[dict[str, Any]]:
    async with http.post(f"{api.url}/v1/messages", json={**ASK, "stream": True}, headers=SESSION) as got:
        return [json.loads(line[6:]) async for line in got.content if line.startswith(b"data: ")]


def assembled(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put the blocks of a stream together again."""
    blocks: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append({**event["content_block"], "partial": ""})
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            blocks[event["index"]]["partial"] += delta.get("text", delta.get("partial_json"))
    return blocks


async def test_plays_the_script_and_then_ends_the_turn(http: ClientSession) -> None:
    async with FakeApi([calls(bash("ls"), bash("pwd"), text="Looking."), says("There.")]) as api:
        first, second, third = [await ask(http, api) for _ in range(3)]
    assert [block["type"] for block in first["content"]] == ["text", "tool_use", "tool_use"]
    assert first["content"][1]["input"]["command"] == "ls"
    assert (first["stop_reason"], second["stop_reason"]) == ("tool_use", "end_turn")
    assert second["content"] == [{"type": "text", "text": "There."}]
    assert third["content"] == [{"type": "text", "text": "Done."}]


async def test_a_stream_holds_the_same_message_in_halves(http: ClientSession) -> None:
    async with FakeApi([calls(ToolCall("Read", {"file_path": "/a"}), text="Looking.")]) as api:
        events = await stream(http, api)
    assert [event["type"] for event in events[:2]] == ["message_start", "content_block_start"]
    assert [event["type"] for event in events[-2:]] == ["message_delta", "message_stop"]
    text, call = assembled(events)
    assert text["partial"] == "Looking."
    assert (call["name"], json.loads(call["partial"])) == ("Read", {"file_path": "/a"})
    assert [sent.event for sent in api.sent] == [event["type"] for event in events]


async def test_a_request_without_tools_takes_no_step(http: ClientSession) -> None:
    async with FakeApi([says("first")]) as api:
        side = await ask(http, api, tools=[])
        main = await ask(http, api)
    assert side["content"][0]["text"] != "first"
    assert main["content"][0]["text"] == "first"
    assert [request.step for request in api.requests] == [None, 1]


async def test_refuses_with_status_headers_and_envelope(http: ClientSession) -> None:
    step = Refusal(429, "rate_limit_error", "slow down", {"retry-after": "2"})
    async with FakeApi([step]) as api, http.post(f"{api.url}/v1/messages", json=ASK) as got:
        assert (got.status, got.headers["retry-after"]) == (429, "2")
        assert (await got.json())["error"] == {"type": "rate_limit_error", "message": "slow down"}


@pytest.mark.parametrize(
    ("at", "seen"),
    [(Point.HEADERS, 0), (Point.START, 1), (Point.MIDDLE, 3), (Point.END, 5)],
)
async def test_stalls_at_the_point_until_released(http: ClientSession, at: Point, seen: int) -> None:
    async with FakeApi([says("a long answer", fault=Fault(Trouble.STALL, at))]) as api:
        answer = asyncio.create_task(stream(http, api))
        await (api.streamed(1, seen) if seen else api.step(1))
        await asyncio.wait([answer], timeout=0.05)
        assert (answer.done(), len(api.sent)) == (False, seen)
        api.release()
        assert assembled(await answer)[0]["partial"] == "a long answer"


async def test_a_stall_ends_when_the_client_leaves(http: ClientSession) -> None:
    async with FakeApi([says("never", fault=Fault(Trouble.STALL, Point.MIDDLE)), says("next")]) as api:
        answer = asyncio.create_task(stream(http, api))
        await api.streamed(1, 3)
        answer.cancel()
        await asyncio.wait([answer])
        assert (await ask(http, api))["content"][0]["text"] == "next"
    assert len(api.sent) == 3


async def test_cuts_the_connection(http: ClientSession) -> None:
    async with FakeApi([says("half", fault=Fault(Trouble.CUT, Point.MIDDLE))]) as api:
        with pytest.raises(ClientError):
            await stream(http, api)


async def test_reports_an_error_in_the_stream(http: ClientSession) -> None:
    async with FakeApi([says("half", fault=Fault(Trouble.ERROR, Point.START))]) as api:
        events = await stream(http, api)
    assert [event["type"] for event in events] == ["message_start", "error"]
    assert events[1]["error"]["type"] == "overloaded_error"


async def test_plays_another_script_from_now_on(http: ClientSession) -> None:
    async with FakeApi([says("one"), says("two")]) as api:
        await ask(http, api)
        api.play([says("new")])
        assert (await ask(http, api))["content"][0]["text"] == "new"


async def test_counts_the_cached_part_of_a_growing_conversation(http: ClientSession) -> None:
    async with FakeApi() as api:
        first = (await ask(http, api, messages=[{"role": "user", "content": "x" * 400}]))["usage"]
        second = (await ask(http, api, messages=[{"role": "user", "content": "x" * 800}]))["usage"]
    assert first["cache_read_input_tokens"] == 0
    assert second["cache_read_input_tokens"] == first["cache_creation_input_tokens"] > 100
    assert second["cache_creation_input_tokens"] == 100


async def test_a_seed_makes_ids_repeatable(http: ClientSession) -> None:
    async with FakeApi(seed="a") as one, FakeApi(seed="a") as same, FakeApi() as other:
        ids = [(await ask(http, api))["id"] for api in (one, same, other)]
    assert ids[0] == ids[1] != ids[2]


async def test_answers_the_other_routes(http: ClientSession) -> None:
    async with FakeApi() as api:
        async with http.head(f"{api.url}/") as head, http.get(f"{api.url}/v1/models") as models:
            assert (head.status, models.status) == (200, 200)
        async with http.post(f"{api.url}/v1/messages/count_tokens", json=ASK) as counted:
            assert (await counted.json())["input_tokens"] > 10
        async with http.get(f"{api.url}/nowhere") as missing:
            assert missing.status == 404


async def test_keeps_a_journal(http: ClientSession, tmp_path: Path) -> None:
    journal = tmp_path / "requests.jsonl"
    async with FakeApi([calls(bash("ls"))], journal=journal) as api:
        await ask(http, api)
    record = json.loads(journal.read_text())
    assert (record["path"], record["step"]) == ("/v1/messages?beta=true", 1)
    assert record["body"]["model"] == "claude-test"
    assert api.requests[0].session_id == record["headers"]["x-claude-code-session-id"] == "s1"


def test_steps_are_plain_values() -> None:
    assert calls(bash("ls"), text="Looking.").blocks == (Text("Looking."), bash("ls"))
