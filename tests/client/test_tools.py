"""SHIM's MCP tools, called by a model in the real client over the registration that `shim connect` wrote."""

import json
from typing import Any

import pytest
from harness.install import OLD, Installation
from harness.scene import Staging
from harness.script import ToolCall, calls, says
from harness.transcript import blocks

from shim_common.contracts.sessions import EntryKind

pytestmark = pytest.mark.client

DAILY = {"shim_auto_checkpoint", "shim_check_recovery"}
WAITING = {"MCP_CONNECTION_NONBLOCKING": "0"}
"""Makes the client wait for its MCP servers however long they take; by itself it goes on without them after 2 s."""
STATE = {"operation": "Sort the drawers", "phase": "screws", "decisions": ["By length, because it shows."]}


def tool(name: str, **arguments: Any) -> ToolCall:
    """Call one of SHIM's tools."""
    return ToolCall(f"mcp__shim__{name}", arguments)


async def test_the_model_calls_the_tools(scene: Staging, installation: Installation) -> None:
    asked = [tool("shim_check_recovery"), tool("shim_auto_checkpoint", **STATE), tool("shim_session_status")]
    async with scene([*(calls(one) for one in asked), says("Sorted.")]) as s:
        run = await s.client.start("please", "--allowedTools", "mcp__shim", environment=WAITING)
        assert (await run.wait(), run.stderr) == (0, "")
        session = await s.session(run.session_id)
        stated = [entry.body for entry in await s.entries(run.session_id) if entry.kind is EntryKind.STATE]
        first, last = (await s.api.step(1)).body, (await s.api.step(4)).body

    offered = {name.removeprefix("mcp__shim__") for tool in first["tools"] if "shim" in (name := tool["name"])}
    assert offered == DAILY or (installation.version == OLD and offered > DAILY)
    results = [block["content"] for block in blocks(last["messages"]) if block["type"] == "tool_result"]
    recovery, saved, status = (json.loads(text_of(result)) for result in results)
    assert recovery["interrupted"] is False
    assert (saved["session_id"], saved["state_saved"]) == (session.id, True)
    assert (status["session_id"], status["project"], status["state"]) == (session.id, session.project, "active")
    assert stated == [STATE]


def text_of(result: Any) -> str:
    """Return a tool result's text: older clients hand it on in blocks."""
    return result if isinstance(result, str) else "".join(block["text"] for block in result)
