"""The real client, connected with the real SHIM by `shim connect`: starts, MCP tools, files, and a SHIM that is away.

Deaths of the client are in `test_kills.py`.
"""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from harness.client import Run
from harness.eventually import until_quiet
from harness.install import NEWEST, OLD, Installation
from harness.scene import Scene, Stage, Staging
from harness.script import ToolCall, bash, calls, says
from harness.stack import Stack
from harness.terminal import Terminal
from harness.transcript import blocks, texts
from turn import ALONE, CONSTRAINT, PRINTED, PROMPT, WORDS

from shim_common.contracts.sessions import EntryKind, Snapshot
from shim_mcp.api import ApiError

pytestmark = pytest.mark.client

Json = dict[str, Any]
BUNDLE = "SHIM kept this session"
DAILY_TOOLS = {"shim_auto_checkpoint", "shim_check_recovery"}
WAITING = {"MCP_CONNECTION_NONBLOCKING": "0"}
"""Makes the client wait for its MCP servers however long they take; by itself it goes on without them after 2 s."""
STATE = {"operation": "Sort the drawers", "phase": "screws", "decisions": ["By length, because it shows."]}
TROUBLE = ("refused", "timedout", "hookerror", "hookfailed", "hookproblem", "hookcancelled")
"""How the client tells a person of a hook in trouble, in small letters and without blanks."""


# --- starts ---------------------------------------------------------------------------------------------------------


async def test_a_new_session_gets_a_line_and_the_person_is_told(scene: Staging) -> None:
    async with scene() as s:
        before = await killed_in_a_tool(s)
        await until_quiet(lambda: doubts(s, before, ["running"]))
        steps = len(s.api.requests)
        s.api.play([says("Good morning.")])
        async with Terminal(s.client, ALONE) as screen:
            await screen.until(f"Continue it with: claude --resume {before.session_id}")
            await screen.enter("hello")
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
        for number, prompt in enumerate([PROMPT, "/compact", "Go on."], 1):
            await run.say(prompt)
            await run.events.nth(number, lambda event: event.get("type") == "result")
        started, compacted = [context(event) for event in run.events if event.get("subtype") == "hook_response"]
        asked = [request for request in s.api.requests if request.step][-1]
    assert started == ""
    assert compacted.startswith(f"{BUNDLE} ({run.session_id}). Its context was compacted")
    assert all(words in compacted for words in (PROMPT, WORDS, CONSTRAINT))
    assert any(compacted in text for text in texts(asked.body["messages"]))


async def test_a_tool_that_outlives_its_client_is_known_to_run_and_to_have_ended(stage: Stage) -> None:
    async with stage(NEWEST) as s:
        run = await killed_in_a_tool(s)
        await until_quiet(lambda: doubts(s, run, ["running"]))
        (s.home.project / "gate").write_text("open\n")
        await until_quiet(lambda: doubts(s, run, ["unknown"]))


async def killed_in_a_tool(s: Scene) -> Run:
    """Leave a session in the project that was killed while a tool ran, which goes on."""
    os.mkfifo(s.home.project / "gate")
    s.api.play([calls(bash("cat gate"))])
    run = await s.client.start(PROMPT, ALONE)
    await run.until_running("cat")
    await run.kill()
    return run


async def doubts(s: Scene, run: Run, outcomes: list[str]) -> list[str]:
    """Say what differs from an interrupted session whose calls in flight have these outcomes."""
    recovery = await s.shim.recovery(session_id=run.session_id)
    judged = [call.outcome for call in recovery.pending]
    return [] if recovery.interrupted and judged == outcomes else [f"{recovery.why}; calls in flight: {judged}"]


def context(event: Json) -> str:
    """Return what a SessionStart hook put before the model."""
    if not event["stdout"]:
        return ""
    return str(json.loads(event["stdout"])["hookSpecificOutput"]["additionalContext"])


# --- MCP tools ------------------------------------------------------------------------------------------------------


async def test_the_model_calls_the_tools(scene: Staging, installation: Installation) -> None:
    asked = [tool("shim_check_recovery"), tool("shim_auto_checkpoint", **STATE), tool("shim_session_status")]
    async with scene([*(calls(one) for one in asked), says(WORDS)]) as s:
        run = await s.client.start(PROMPT, "--allowedTools", "mcp__shim", environment=WAITING)
        assert (await run.wait(), run.stderr) == (0, "")
        session = await s.session(run.session_id)
        stated = [entry.body for entry in await s.entries(run.session_id) if entry.kind is EntryKind.STATE]
        first, last = (await s.api.step(1)).body, (await s.api.step(4)).body

    offered = {name.removeprefix("mcp__shim__") for tool in first["tools"] if "shim" in (name := tool["name"])}
    assert offered == DAILY_TOOLS or (installation.version == OLD and offered > DAILY_TOOLS)
    results = [block["content"] for block in blocks(last["messages"]) if block["type"] == "tool_result"]
    recovery, saved, status = (json.loads(text_of(result)) for result in results)
    assert recovery["interrupted"] is False
    assert (saved["session_id"], saved["state_saved"]) == (session.id, True)
    assert (status["session_id"], status["project"], status["state"]) == (session.id, session.project, "active")
    assert stated == [STATE]


def tool(name: str, **arguments: Any) -> ToolCall:
    """Call one of SHIM's tools."""
    return ToolCall(f"mcp__shim__{name}", arguments)


def text_of(result: Any) -> str:
    """Return a tool result's text: older clients hand it on in blocks."""
    return result if isinstance(result, str) else "".join(block["text"] for block in result)


# --- files ----------------------------------------------------------------------------------------------------------


async def test_what_a_command_wrote_comes_back_byte_for_byte(stage: Stage, stack: Stack, tmp_path: Path) -> None:
    writing = r"printf 'two\r\n\n' >> notes.txt; printf '\0\377\1' > tool; chmod 750 tool; ln -s tool link; rm old"
    written = {"notes.txt": b"onetwo\r\n\n", "tool": b"\0\xff\x01"}
    async with stage(NEWEST, [calls(bash(writing)), says(WORDS)]) as s:
        project = s.home.project
        (project / "notes.txt").write_bytes(b"one")
        (project / "old").write_bytes(b"old")
        run = await s.client.start(PROMPT, ALONE)
        assert await run.wait() == 0
    snapshot = await snapshot_with(written, stack, run)
    wanted = {**written, "link": written["tool"]}

    stack.run("restore", snapshot, "--to", tmp_path / "elsewhere")
    assert contents(tmp_path / "elsewhere") == wanted

    (project / "notes.txt").unlink()
    (project / "tool").write_bytes(b"broken")
    (project / "new").write_bytes(b"new")
    stack.run("restore", snapshot, "--in-place")
    assert contents(project) == wanted
    assert (project / "tool").stat().st_mode & 0o777 == 0o750
    assert (project / "link").readlink() == Path("tool")


async def snapshot_with(files: dict[str, bytes], stack: Stack, run: Run) -> str:
    """Wait until the newest snapshot of a session holds these files, and no others but links; return its id."""
    wanted = {name: sha256(content).hexdigest() for name, content in files.items()}
    newest: list[Snapshot] = []

    async def ask() -> list[str]:
        with stack.cli_api() as api:
            newest[:] = api.snapshots(run.session_id)[:1]
            kept = {file.path: file.sha256 for one in newest for file in api.snapshot(one.id).files if not file.link}
        return [] if kept == wanted else [f"the newest of the snapshots holds {sorted(kept)}"]

    await until_quiet(ask)
    return newest[0].id


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# --- SHIM is away ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def scenes(stage: Stage) -> AsyncIterator[list[Scene]]:
    """Both versions, each twice: for a turn without a terminal and for one with."""
    async with AsyncExitStack() as exits:
        script = [calls(bash(f"echo {PRINTED}")), says(WORDS)]
        yield [await exits.enter_async_context(stage(version, script)) for version in (NEWEST, OLD, NEWEST, OLD)]


async def test_nobody_notices_that_shim_is_down_and_it_fills_in_what_it_missed(
    scenes: list[Scene], stack: Stack
) -> None:
    stack.down()
    try:
        sessions = await unnoticed(scenes)
    finally:
        stack.up()
    await asyncio.gather(*map(is_filled_in, scenes, sessions))


async def test_nobody_notices_that_shim_hangs_and_it_fills_in_what_it_missed(scenes: list[Scene], stack: Stack) -> None:
    with stack.hung():
        sessions = await unnoticed(scenes)
    await asyncio.gather(*map(is_filled_in, scenes, sessions))


async def unnoticed(scenes: list[Scene]) -> list[str]:
    """Work through a turn in each scene and see nothing of SHIM; return the sessions."""
    half = len(scenes) // 2
    return await asyncio.gather(*map(is_not_printed, scenes[:half]), *map(is_not_shown, scenes[half:]))


async def is_not_printed(s: Scene) -> str:
    run = await s.client.start(PROMPT)
    assert (await run.wait(), run.stderr, run.stray) == (0, "", [])
    assert run.said == ["prompt", "tool_use", "tool_result", "text"]
    return run.session_id


async def is_not_shown(s: Scene) -> str:
    async with Terminal(s.client, ALONE) as screen:
        await screen.until("accept edits on")
        await screen.enter(PROMPT)
        await screen.until(WORDS)
        await screen.leave()
        shown = screen.printed.lower()
    assert [word for word in TROUBLE if word in shown] == []
    return str((await s.api.step(1)).session_id)


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
