"""The tools as a client sees them, over streamable HTTP and in both revisions."""

import json
from typing import Any

import pytest
from mcp import Client
from mcp_types import RequestParamsMeta, ToolAnnotations

from shim_common.contracts.sessions import EntryKind, PendingCall, ToolProcess

from .clients import over_http, told
from .fake_shim import INGEST_KEY, KEY, FakeShim

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOOLS = [
    "shim_auto_checkpoint",
    "shim_check_recovery",
    "shim_monitor_signals",
    "shim_session_status",
    "shim_search",
    "shim_force_checkpoint",
    "shim_clear_state",
]
OF_A_SESSION = ["shim_monitor_signals", "shim_session_status", "shim_force_checkpoint"]
CALL: RequestParamsMeta = {"claudecode/toolUseId": "toolu_01"}  # type: ignore[typeddict-unknown-key]
PROJECT = "/home/ana/webshop"


async def call(
    client: Client, tool: str, arguments: dict[str, Any], meta: RequestParamsMeta | None = None
) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments, meta=meta)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return dict(result.structured_content)


async def test_lists_the_tools_in_order_with_their_marks(address: str, revision: str) -> None:
    async with over_http(address, revision, KEY) as client:
        assert client.protocol_version == revision
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == TOOLS
        marks = {tool.name: tool.annotations or ToolAnnotations() for tool in tools}
        assert [name for name in TOOLS if marks[name].destructive_hint] == ["shim_clear_state"]
        assert [name for name in TOOLS if marks[name].read_only_hint] == TOOLS[1:5]
        assert [tool.name for tool in tools if tool.meta == {"anthropic/alwaysLoad": True}] == TOOLS[:2]
        assert all(tool.output_schema and tool.output_schema["type"] == "object" for tool in tools)
        assert "shim_check_recovery" in (client.instructions or "")


async def test_the_daily_tools_cost_the_model_little(address: str, revision: str) -> None:
    async with over_http(address, revision, KEY) as client:
        daily = (await client.list_tools()).tools[:2]
        assert sum(len(json.dumps(tool.input_schema)) for tool in daily) < 2000
        assert daily[1].input_schema == {
            "type": "object",
            "properties": {
                "session_id": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 200,
                    "description": "ses_... or the client's own id; Claude Code may leave it out.",
                },
                "project": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 4096,
                    "description": "Absolute path of the project's folder.",
                },
            },
        }


async def test_keeps_the_task_state_and_tells_of_the_checkpoint(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    state = {
        "operation": "Move the shop to the new prices",
        "phase": "tests",
        "progress": 0.5,
        "blockers": [],
        "decisions": ["Keep cents as integers: rounding"],
        "todos": [{"content": "run the tests", "status": "in_progress"}],
        "active_files": ["shop/prices.py"],
    }
    async with over_http(address, revision, KEY) as client:
        first = await call(client, "shim_auto_checkpoint", {"session_id": "client-1", **state})
        assert first == {"session_id": "client-1", "state_saved": True, "position": 1}
        second = await call(client, "shim_auto_checkpoint", {"session_id": session.id, "phase": "review"})
        assert second["checkpoint_id"] == shim.stored[session.id].checkpoints[0].id
    kept = shim.stored[session.id].entries
    assert [entry.kind for entry in kept] == [EntryKind.STATE, EntryKind.STATE]
    assert [entry.body for entry in kept] == [state, {"phase": "review"}]


async def test_a_call_that_is_repeated_is_stored_once(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    async with over_http(address, revision, KEY) as client:
        for _ in range(2):
            arguments = {"session_id": session.id, "phase": "tests"}
            saved = await call(client, "shim_auto_checkpoint", arguments, CALL)
            assert saved["position"] == 1
    assert [entry.key for entry in shim.stored[session.id].entries] == ["mcp:toolu_01"]


async def test_without_a_state_it_adds_nothing(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    async with over_http(address, revision, KEY) as client:
        saved = await call(client, "shim_auto_checkpoint", {"session_id": "client-1"})
    assert saved["state_saved"] is False
    assert saved["session_id"] == session.id
    assert shim.stored[session.id].entries == []


@pytest.mark.parametrize("tool", ["shim_auto_checkpoint", *OF_A_SESSION])
async def test_the_session_is_found_by_the_tool_call(shim: FakeShim, address: str, revision: str, tool: str) -> None:
    shim.add_session("another")
    session = shim.add_session("client-1")
    shim.tool_calls["toolu_01"] = session.id
    async with over_http(address, revision, KEY) as client:
        assert (await call(client, tool, {}, CALL))["session_id"] == session.id


async def test_the_project_is_found_by_the_tool_call(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    shim.tool_calls["toolu_01"] = session.id
    shim.interrupted[session.id] = "Open task: prices."
    async with over_http(address, revision, KEY) as client:
        assert (await call(client, "shim_check_recovery", {}, CALL))["bundle"] == "Open task: prices."


async def test_a_client_without_sessions_opens_one(shim: FakeShim, address: str, revision: str) -> None:
    async with over_http(address, revision, KEY, name="zed") as client:
        saved = await call(client, "shim_auto_checkpoint", {"project": PROJECT, "phase": "tests"})
        assert "Give this session_id" in saved["note"]
        again = {"session_id": saved["session_id"], "phase": "review"}
        assert (await call(client, "shim_auto_checkpoint", again))["position"] == 2
    (stored,) = shim.stored.values()
    assert stored.session.id == saved["session_id"]
    assert (stored.session.client, stored.session.client_version) == ("zed", "1.2")
    assert stored.session.project == PROJECT


async def test_opening_a_session_needs_a_project(shim: FakeShim, address: str, revision: str) -> None:
    async with over_http(address, revision, KEY) as client:
        assert "Give project" in told(await client.call_tool("shim_auto_checkpoint", {"phase": "tests"}))
    assert shim.stored == {}


@pytest.mark.parametrize("tool", OF_A_SESSION)
async def test_readers_open_nothing(shim: FakeShim, address: str, revision: str, tool: str) -> None:
    async with over_http(address, revision, KEY) as client:
        assert "Give session_id" in told(await client.call_tool(tool, {}))
    assert shim.stored == {}


async def test_recovery_tells_what_it_takes_to_go_on(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    shim.interrupted[session.id] = "Open task: prices."
    shim.pending = [
        PendingCall(
            tool_use_id="toolu_09",
            name="Bash",
            summary="make test",
            started_at=None,
            outcome="running",
            process=ToolProcess(pid=4711, created=1.0, command="make test"),
        ),
        PendingCall(tool_use_id="toolu_10", name="Bash", summary="ls", started_at=None, outcome="finished", output="a"),
    ]
    async with over_http(address, revision, KEY) as client:
        found = await call(client, "shim_check_recovery", {"project": PROJECT})
        assert found == await call(client, "shim_check_recovery", {"session_id": "client-1"})
    assert found == {
        "interrupted": True,
        "confidence": "certain",
        "why": "its process ended in a turn",
        "session_id": session.id,
        "client": "claude-code",
        "project": PROJECT,
        "last_seen_at": "2026-11-20T17:45:00Z",
        "bundle": "Open task: prices.",
        "pending": ["Bash make test: running as process 4711", "Bash ls: finished"],
        "resume": "claude --resume client-1",
    }


async def test_nothing_interrupted_is_said_in_few_words(shim: FakeShim, address: str, revision: str) -> None:
    async with over_http(address, revision, KEY) as client:
        assert await call(client, "shim_check_recovery", {"project": PROJECT}) == {
            "interrupted": False,
            "confidence": "none",
            "why": "no session in this project was interrupted",
        }


async def test_signals_say_why_and_how_near_a_compaction_is(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    async with over_http(address, revision, KEY) as client:
        calm = await call(client, "shim_monitor_signals", {"session_id": "client-1"})
        shim.alarm = True
        alarmed = await call(client, "shim_monitor_signals", {"session_id": "client-1"})
    assert calm == {
        "session_id": session.id,
        "raised": [{"name": "context_used", "why": "54 % of the context window is used; the threshold is 50 %."}],
        "measures": {"context_used": 0.541, "messages": 12.0},
        "risk": {
            "probability": 0.912,
            "calls_left": 4.25,
            "calls_left_80_percent": [2.0, 9.0],
            "alarm": False,
            "why": "10,000 tokens are left below the threshold.",
        },
    }
    assert "shim_auto_checkpoint" in alarmed["note"]


async def test_status_and_a_checkpoint_on_demand(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    async with over_http(address, revision, KEY) as client:
        before = await call(client, "shim_session_status", {"session_id": "client-1"})
        assert "last_checkpoint" not in before
        arguments = {"session_id": "client-1", "note": "before the migration"}
        made = await call(client, "shim_force_checkpoint", arguments)
        after = await call(client, "shim_session_status", {"session_id": "client-1"})
    (checkpoint,) = shim.stored[session.id].checkpoints
    assert checkpoint.note == "before the migration"
    assert made == {
        "session_id": session.id,
        "checkpoint_id": checkpoint.id,
        "number": 1,
        "position": 0,
        "files": False,
    }
    assert after["checkpoints"] == 1
    assert after["last_checkpoint"]["checkpoint_id"] == checkpoint.id
    assert after["last_checkpoint"]["trigger"] == "on_demand"
    assert (after["state"], after["context_tokens"]) == ("active", 12_000)


async def test_clearing_names_its_session_and_says_what_is_gone(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    kept = shim.add_session("client-2")
    shim.tool_calls["toolu_01"] = session.id
    async with over_http(address, revision, KEY) as client:
        assert "session_id" in told(await client.call_tool("shim_clear_state", {}, meta=CALL))
        assert set(shim.stored) == {session.id, kept.id}
        await call(client, "shim_auto_checkpoint", {"session_id": session.id, "phase": "tests"})
        cleared = await call(client, "shim_clear_state", {"session_id": "client-1"})
        assert cleared == {"session_id": session.id, "entries": 1, "checkpoints": 0}
        assert set(shim.stored) == {kept.id}
        assert "there is no session" in told(await client.call_tool("shim_clear_state", {"session_id": "client-1"}))


async def test_what_the_key_may_not_do_is_refused_with_the_reason(shim: FakeShim, address: str, revision: str) -> None:
    shim.add_session("client-1")
    async with over_http(address, revision, INGEST_KEY) as client:
        arguments = {"session_id": "client-1", "phase": "tests"}
        assert (await call(client, "shim_auto_checkpoint", arguments))["state_saved"] is True
        for tool in ("shim_session_status", "shim_clear_state"):
            refused = told(await client.call_tool(tool, {"session_id": "client-1"}))
            assert "needs a key with the scope" in refused
            assert INGEST_KEY not in refused
    assert len(shim.stored) == 1


async def test_every_caller_is_known_by_its_own_key(shim: FakeShim, address: str, revision: str) -> None:
    other = "shim_of_somebody_else_0123456789_0123456789"
    shim.keys[other] = shim.keys[KEY]
    shim.add_session("client-1")
    async with over_http(address, revision, KEY) as one, over_http(address, revision, other) as two:
        shim.callers.clear()
        for client in (one, two, one):
            await call(client, "shim_monitor_signals", {"session_id": "client-1"})
    assert shim.callers == [KEY, other, KEY]


@pytest.mark.parametrize("bad", ["", "../keys", "a/b", "..", "x" * 201])
async def test_an_id_that_is_none_is_refused_before_it_is_asked_for(
    shim: FakeShim, address: str, revision: str, bad: str
) -> None:
    async with over_http(address, revision, KEY) as client:
        shim.paths.clear()
        for tool in ("shim_clear_state", "shim_session_status"):
            told(await client.call_tool(tool, {"session_id": bad}))
    assert shim.paths == []


async def test_strange_ids_stay_one_segment(shim: FakeShim, address: str, revision: str) -> None:
    async with over_http(address, revision, KEY) as client:
        shim.paths.clear()
        told(await client.call_tool("shim_session_status", {"session_id": "a?b=c#d%2F\x00é"}))
    assert shim.paths == ["GET /v1/sessions/a%3Fb=c%23d%252F%00%C3%A9"]


async def test_searches_all_sessions(shim: FakeShim, address: str, revision: str) -> None:
    for number, project in enumerate((PROJECT, PROJECT, "/home/ana/blog")):
        shim.add_session(f"client-{number}", project)
    async with over_http(address, revision, KEY) as client:
        for number in range(3):
            state = {"session_id": f"client-{number}", "operation": f"Round the cents {number}"}
            await call(client, "shim_auto_checkpoint", state)
        found = await call(client, "shim_search", {"query": "cents", "project": PROJECT, "failed": False})
        some = await call(client, "shim_search", {"query": "cents", "limit": 2})
        none = await call(client, "shim_search", {"query": "cents", "failed": True, "since": "2026-11-20T12:00:00Z"})

    assert [hit["text"] for hit in found["hits"]] == ["Round the **cents** 0", "Round the **cents** 1"]
    assert set(found["hits"][0]) == {"session_id", "position", "at", "kind", "project", "text"}
    assert (len(some["hits"]), "more" in some["note"]) == (2, True)
    assert set(none) == {"note"}
    assert "since=2026-11-20T12:00:00%2B00:00&" in shim.paths[-1]
