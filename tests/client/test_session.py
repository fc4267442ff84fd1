"""Sessions of the real client: a whole turn, a death in a tool and its resumption, a death in a stream."""

import os

import pytest
from harness.install import OLD, Installation
from harness.rig import Rigging
from harness.script import Fault, Point, Trouble, bash, calls, says
from harness.transcript import blocks

pytestmark = pytest.mark.client

TWO_TOOLS = (calls(bash("echo one")), calls(bash("echo bad >&2; exit 3")), says("All done."))
EVENTS = [
    *("SessionStart", "UserPromptSubmit"),
    *("PreToolUse", "PostToolUse", "PostToolBatch"),
    *("PreToolUse", "PostToolUseFailure", "PostToolBatch"),
    *("Stop", "SessionEnd"),
]


async def test_a_turn_with_two_tools(rig: Rigging) -> None:
    async with rig(TWO_TOOLS) as r:
        run = await r.client.start("two tools please")
        assert await run.wait() == 0
        assert run.result is not None
        assert (run.result["is_error"], run.result["result"]) == (False, "All done.")
        assert (run.stderr, run.stray) == ("", [])
        assert r.hooks() == EVENTS
        assert {hook.payload["session_id"] for hook in r.sink.received} == {run.session_id}
        assert len({hook.peer for hook in r.sink.received}) == 2, "the start's own connection, and one for the rest"
        assert {request.session_id for request in r.api.requests if request.step} == {run.session_id}
        assert run.said == ["prompt", "tool_use", "tool_result", "tool_use", "tool_result", "text"]


async def test_killed_in_a_tool_and_resumed(rig: Rigging, installation: Installation) -> None:
    async with rig([calls(bash("cat gate"))]) as r:
        os.mkfifo(r.home.project / "gate")
        run = await r.client.start("take your time")
        await run.until_running("cat")
        await run.until_said("prompt", "tool_use")
        await run.kill()
        assert run.result is None
        assert {process.name() for process in run.tool_processes()} == {"bash", "cat"}
        assert r.hooks() == ["SessionStart", "UserPromptSubmit", "PreToolUse"]

        r.api.play([says("Resumed.")])
        again = await r.client.start("go on", session_id=run.session_id, resume=True)
        assert await again.wait() == 0
        starts = [hook.payload["source"] for hook in r.sink.received if hook.event == "SessionStart"]
        assert starts == ["startup", "resume"]
        asked = blocks((await r.api.step(2)).body["messages"])
    results = [block["content"] for block in asked if block["type"] == "tool_result"]
    if installation.version == OLD:
        assert results == []
    else:
        assert len(results) == 1
        assert "its outcome is unknown" in str(results[0])


async def test_killed_in_the_middle_of_an_answer(rig: Rigging) -> None:
    answer = says("an answer of which half is sent", fault=Fault(Trouble.STALL, Point.MIDDLE))
    async with rig([calls(bash("echo one")), answer]) as r:
        run = await r.client.start("please")
        await r.api.streamed(2, 3)
        await run.until_said("prompt", "tool_use", "tool_result")
        await run.kill()

        r.api.play([says("Resumed.")])
        again = await r.client.start("go on", session_id=run.session_id, resume=True)
        assert await again.wait() == 0
        asked = blocks((await r.api.step(3)).body["messages"])
    assert [block["content"] for block in asked if block["type"] == "tool_result"] == ["one"]
