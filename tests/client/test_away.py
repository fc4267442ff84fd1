"""SHIM is down or hangs while clients work: nobody notices, and what hooks missed is filled in afterwards."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from harness.connections import Connections
from harness.eventually import until_quiet
from harness.install import NEWEST, OLD, Installation
from harness.scene import Scene, staged
from harness.script import bash, calls, says
from harness.stack import Stack
from harness.terminal import Terminal
from kills import ALONE, PRINTED, PROMPT, WORDS

from shim_mcp.api import ApiError

pytestmark = pytest.mark.client

TROUBLE = ("refused", "timedout", "hookerror", "hookfailed", "hookproblem", "hookcancelled")
"""How the client tells a person of a hook in trouble, in small letters and without blanks."""


@pytest.fixture
async def scenes(
    installed: Callable[[str], Installation], stack: Stack, connections: Connections, tmp_path: Path
) -> AsyncIterator[list[Scene]]:
    """Both versions, connected to the one SHIM that there is."""
    async with AsyncExitStack() as exits:
        yield [
            await exits.enter_async_context(staged(stack, connections, installed(version), tmp_path / version))
            for version in (NEWEST, OLD)
        ]


async def test_shim_is_down_and_comes_back(scenes: list[Scene], stack: Stack) -> None:
    stack.down()
    try:
        sessions = await asyncio.gather(*map(works_unnoticed, scenes))
    finally:
        stack.up()
    await asyncio.gather(*map(is_filled_in, scenes, sessions))


async def test_shim_hangs_and_comes_back(scenes: list[Scene], stack: Stack) -> None:
    with stack.hung():
        sessions = await asyncio.gather(*map(works_unnoticed, scenes))
    await asyncio.gather(*map(is_filled_in, scenes, sessions))


async def works_unnoticed(s: Scene) -> str:
    """Work through a turn without a terminal, then through one with; see nothing of SHIM. Return the first's id."""
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


async def is_filled_in(s: Scene, session: str) -> None:
    """Wait until SHIM has the whole turn."""

    async def ask() -> list[str]:
        try:
            given = await s.given(session)
        except ApiError as away:
            return [away.detail]
        known = [*given.texts, *given.results.values()]
        return [f"{words!r} is not filled in" for words in (PROMPT, PRINTED, WORDS) if words not in known]

    await until_quiet(ask)
