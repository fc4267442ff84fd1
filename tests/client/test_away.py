"""SHIM is down or hangs while the client works: nobody notices, and what hooks missed is filled in afterwards."""

import pytest
from harness.eventually import until_quiet
from harness.scene import Scene, Staging
from harness.script import bash, calls, says
from harness.terminal import Terminal
from kills import ALONE, PRINTED, PROMPT, WORDS

from shim_mcp.api import ApiError

pytestmark = pytest.mark.client

TROUBLE = ("hook", "refused", "timedout", "failed", "error")
"""Words on the screen, without blanks and in small letters, that would tell a person of a hook in trouble."""


async def test_shim_is_down_and_comes_back(scene: Staging) -> None:
    async with scene() as s:
        s.stack.down()
        try:
            session = await works_unnoticed(s)
        finally:
            s.stack.up()
        await until_quiet(lambda: still_unknown(s, session))


async def test_shim_hangs_and_comes_back(scene: Staging) -> None:
    async with scene() as s:
        with s.stack.hung():
            session = await works_unnoticed(s)
        await until_quiet(lambda: still_unknown(s, session))


async def works_unnoticed(s: Scene) -> str:
    """Work through a turn without a terminal and see nothing of SHIM, then through one with; return the first's id."""
    s.api.play([calls(bash(f"echo {PRINTED}")), says(WORDS)])
    run = await s.client.start(PROMPT)
    assert (await run.wait(), run.stderr, run.stray) == (0, "", [])
    assert run.said == ["prompt", "tool_use", "tool_result", "text"]

    s.api.play([calls(bash(f"echo {PRINTED}")), says(WORDS)])
    async with Terminal(s.client, ALONE) as screen:
        await screen.until("accept edits on")
        screen.type(PROMPT)
        await screen.until(PROMPT)
        screen.type("\r")
        await screen.until(WORDS)
        await screen.leave()
        shown = screen.printed.lower()
    assert [word for word in TROUBLE if word in shown] == []
    return run.session_id


async def still_unknown(s: Scene, session: str) -> list[str]:
    """Return what SHIM does not have of the turn."""
    try:
        given = await s.given(session)
    except ApiError as away:
        return [away.detail]
    known = [*given.texts, *given.results.values()]
    return [f"{words!r} is not filled in" for words in (PROMPT, PRINTED, WORDS) if words not in known]
