"""Who is given what at a start: the whole bundle after a compaction, a line in a new session, and the person is told.

That a resumed session gets the whole bundle is shown at every death in `test_kills.py`.
"""

import json
import os
from typing import Any

import pytest
from harness.client import Run
from harness.eventually import until_quiet
from harness.scene import Scene, Staging
from harness.script import bash, calls, says
from harness.terminal import Terminal
from harness.transcript import texts
from kills import ALONE, PRINTED, PROMPT, WORDS

from shim_common.contracts.sessions import SessionState

pytestmark = pytest.mark.client

Json = dict[str, Any]
BUNDLE = "SHIM kept this session"


async def test_a_new_session_gets_a_line_and_the_person_is_told(scene: Staging) -> None:
    async with scene() as s:
        before = await interrupted(s)
        steps = len(s.api.requests)
        s.api.play([says("Good morning.")])
        async with Terminal(s.client, ALONE) as screen:
            await screen.until(f"Continue it with: claude --resume {before.session_id}")
            screen.type("hello")
            await screen.until("hello")
            screen.type("\r")
            await screen.until("Good morning.")
            await screen.leave()
        asked = next(request for request in s.api.requests[steps:] if request.step)
        about = [text for text in texts(asked.body["messages"]) if before.session_id in text]
    assert len(about) == 1
    assert f"SHIM: session {before.session_id} in this folder was interrupted" in about[0]
    assert BUNDLE not in about[0]


async def test_a_compacted_session_gets_the_whole_bundle(scene: Staging) -> None:
    async with scene([calls(bash(f"echo {PRINTED}")), says(WORDS)]) as s:
        run = await s.client.converse(ALONE)
        await run.say(PROMPT)
        await run.events.nth(1, is_result)
        await run.say("/compact")
        await run.events.nth(2, is_result)
        await run.say("Go on.")
        await run.events.nth(3, is_result)
        started, compacted = [context(event) for event in run.events if event.get("subtype") == "hook_response"]
        asked = [request for request in s.api.requests if request.step][-1]
    assert started == ""
    assert compacted.startswith(f"{BUNDLE} ({run.session_id}). Its context was compacted")
    assert all(words in compacted for words in (PROMPT, WORDS, "never throw anything away"))
    assert any(compacted in text for text in texts(asked.body["messages"]))


async def interrupted(s: Scene) -> Run:
    """Leave a session in the project that was killed while a tool ran; the tool has ended since."""
    os.mkfifo(s.home.project / "gate")
    s.api.play([calls(bash("cat gate"))])
    run = await s.client.start(PROMPT, ALONE)
    await run.until_running("cat")
    await run.end()
    await until_quiet(lambda: not_yet(s, run))
    return run


async def not_yet(s: Scene, run: Run) -> list[str]:
    state = (await s.session(run.session_id)).state
    return [] if state is SessionState.INTERRUPTED else [f"the session is {state}"]


def is_result(event: Json) -> bool:
    return event.get("type") == "result"


def context(event: Json) -> str:
    """Return what a SessionStart hook put before the model."""
    if not event["stdout"]:
        return ""
    return str(json.loads(event["stdout"])["hookSpecificOutput"]["additionalContext"])
