"""What SHIM relies on in the real client, each fact shown. The list is docs/reference/claude-code-behaviour.md."""

import asyncio
import json
import os
import shlex
from pathlib import Path
from typing import Any

import pytest
from harness.hook_sink import Manner
from harness.install import OLD, Installation
from harness.rig import Rig, Rigging
from harness.script import bash, calls, says
from harness.settings import EVENTS, all_hooks, command_hook, hooks, http_hook, posting_command
from harness.terminal import Terminal

pytestmark = pytest.mark.client

NOBODY = "http://127.0.0.1:9/hooks"
"""Port 9 (discard) is not served anywhere these days: connections are refused."""
BEARER = {"Authorization": "Bearer ${SHIM_INGEST_KEY}"}
ONE_TOOL = (calls(bash("echo one")), says("All done."))
IN_ORDER = ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolBatch", "Stop", "SessionEnd"]

Json = dict[str, Any]


def all_commands(url: str) -> Json:
    """Every event as a command that posts to `url`, waits 0.3 s at most and always exits with 0."""
    return hooks((event, command_hook(posting_command(url), timeout=1)) for event in ("SessionStart", *EVENTS))


def refused(_: str) -> Json:
    return all_hooks(NOBODY, timeout=1)


async def turn(r: Rig, **environment: str) -> tuple[int, str]:
    """Run one turn; return the exit code and what was printed on stderr."""
    run = await r.client.start("please", environment=environment)
    return await run.wait(), run.stderr


# --- settings -------------------------------------------------------------------------------------------------------


async def test_a_hooks_key_may_stand_in_the_settings_if_it_is_allowed(rig: Rigging) -> None:
    def settings(url: str) -> Json:
        allowed = ("PostToolUse", http_hook(url, headers=BEARER, allowedEnvVars=["SHIM_INGEST_KEY"]))
        forgotten = ("Stop", http_hook(url, headers=BEARER))
        return {**hooks([allowed, forgotten]), "env": {"SHIM_INGEST_KEY": "k-1"}}

    async with rig([calls(bash("echo $SHIM_INGEST_KEY")), says("All done.")], settings=settings) as r:
        assert await turn(r, SHIM_INGEST_KEY="of the process") == (0, "")
        after, stop = r.sink.received
    assert after.headers["authorization"] == "Bearer k-1"
    assert stop.headers["authorization"] == "Bearer"
    assert after.payload["tool_response"]["stdout"] == "k-1", "tools see the key too"


async def test_an_unknown_event_is_passed_over_without_a_terminal(rig: Rigging) -> None:
    def settings(url: str) -> Json:
        known = all_hooks(url)
        return {"hooks": {**known["hooks"], "NotAnEvent": [{"hooks": [http_hook(url)]}]}}

    async with rig(ONE_TOOL, settings=settings) as r:
        assert await turn(r) == (0, "")
        assert r.hooks() == IN_ORDER


async def test_an_unknown_event_stops_an_interactive_start(rig: Rigging) -> None:
    async with rig(settings=lambda url: hooks([("NotAnEvent", http_hook(url))])) as r, Terminal(r.client) as screen:
        await screen.until('Unknown hook event "NotAnEvent" was ignored')
        await screen.until("Exit and fix manually")


async def test_an_invalid_hook_costs_the_old_client_all_hooks(rig: Rigging, installation: Installation) -> None:
    def settings(url: str) -> Json:
        known = all_hooks(url)
        known["hooks"]["Stop"][0]["hooks"].append({"type": "pigeon"})
        return known

    async with rig(ONE_TOOL, settings=settings) as r:
        assert await turn(r) == (0, "")
        assert r.hooks() == ([] if installation.version == OLD else IN_ORDER)


# --- hooks ----------------------------------------------------------------------------------------------------------


async def test_session_start_is_never_sent_over_http(rig: Rigging) -> None:
    async with rig(ONE_TOOL, settings=lambda url: hooks((e, http_hook(url)) for e in ("SessionStart", *EVENTS))) as r:
        assert await turn(r) == (0, "")
        assert r.hooks() == IN_ORDER[1:]


@pytest.mark.parametrize(("except_for", "through_proxy"), [("", True), ("127.0.0.1", False)])
async def test_hooks_to_loopback_go_through_a_proxy(rig: Rigging, except_for: str, through_proxy: bool) -> None:
    seen: list[bytes] = []

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readline())
        writer.write(b"HTTP/1.1 502 no\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    async with (
        await asyncio.start_server(refuse, "127.0.0.1", 0) as proxy,
        rig(settings=lambda sink: hooks([("UserPromptSubmit", http_hook(sink))])) as r,
    ):
        url = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        await turn(r, HTTP_PROXY=url, NO_PROXY=except_for, CLAUDE_CODE_MAX_RETRIES="0")
        assert (f"CONNECT 127.0.0.1:{r.sink.port} HTTP/1.1\r\n".encode() in seen) is through_proxy
        assert r.hooks() == ([] if through_proxy else ["UserPromptSubmit"])


async def test_a_fraction_of_a_second_is_a_timeout(rig: Rigging) -> None:
    slow = lambda url: hooks([("UserPromptSubmit", http_hook(url, timeout=0.2))])  # noqa: E731
    async with rig(settings=slow, manner=Manner.HANG) as r:
        assert await turn(r) == (0, "")
        waited = (await r.api.step(1)).at - r.sink.received[0].at
    assert 0.1 < waited < 2


async def test_a_failing_session_end_over_http_is_printed(rig: Rigging) -> None:
    async with rig(ONE_TOOL, manner=Manner.DENY) as r:
        code, stderr = await turn(r)
        assert r.hooks() == IN_ORDER
    assert code == 0
    assert stderr.startswith(f"SessionEnd hook [{r.sink.url}] failed: HTTP 401")


async def test_commands_that_exit_with_0_print_nothing(rig: Rigging) -> None:
    async with rig(ONE_TOOL, settings=all_commands, manner=Manner.HANG) as r:
        assert await turn(r) == (0, "")
        assert r.hooks() == IN_ORDER


async def test_the_screen_shows_http_hooks_that_are_refused(rig: Rigging) -> None:
    screen = await screen_after_a_turn(rig, refused)
    assert "ECONNREFUSED127.0.0.1:9" in screen


async def test_the_screen_shows_nothing_of_commands_that_are_refused(rig: Rigging) -> None:
    screen = await screen_after_a_turn(rig, lambda _: all_commands(NOBODY))
    assert "Alldone." in screen
    assert not any(word in screen for word in ("ECONNREFUSED", "hookerror", "hookfailed", "hookproblem"))


async def screen_after_a_turn(rig: Rigging, settings: Any) -> str:
    async with rig(ONE_TOOL, settings=settings) as r, Terminal(r.client) as screen:
        await screen.until("accept edits on")
        await screen.enter("please")
        await screen.until("All done.")
        await screen.leave()
        return screen.printed


# --- processes ------------------------------------------------------------------------------------------------------


async def test_hooks_and_a_session_file_tell_the_clients_pid(
    rig: Rigging, installation: Installation, tmp_path: Path
) -> None:
    hooked = tmp_path / "hooked"
    command = f'echo "$PPID ${{CLAUDE_PID:-none}} $CLAUDE_CODE_SESSION_ID" > {shlex.quote(str(hooked))}'
    script = [calls(bash("cat gate")), says("All done.")]
    async with rig(script, settings=lambda _: hooks([("SessionStart", command_hook(command))])) as r:
        os.mkfifo(r.home.project / "gate")
        run = await r.client.start("please")
        await run.until_running("cat")
        started = start_time(run.pid)
        await run.kill()
        named = "none" if installation.version == OLD else str(run.pid)
        assert hooked.read_text().split() == [str(run.pid), named, run.session_id]
        left = json.loads((r.home.config / f"sessions/{run.pid}.json").read_text())
        assert (left["pid"], left["sessionId"], left["procStart"]) == (run.pid, run.session_id, started)

        again = await r.client.start("once more")
        await again.wait()
        assert not (r.home.config / f"sessions/{again.pid}.json").exists()


def start_time(pid: int) -> str:
    """Field 22 of /proc/<pid>/stat: clock ticks since boot."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]


# --- the transcript lags -------------------------------------------------------------------------------------------


async def test_killed_in_a_hook_the_transcript_lacks_what_it_told(rig: Rigging) -> None:
    async with rig([calls(bash("echo one"))], settings=lambda url: hooks([("PostToolUse", http_hook(url))])) as r:
        r.sink.manner = Manner.HANG
        run = await r.client.start("please")
        told = await r.sink.received.first()
        await run.until_said("prompt", "tool_use")
        await run.kill()
        assert told.payload["tool_response"]["stdout"] == "one"
        assert run.said == ["prompt", "tool_use"]


async def test_a_session_without_transcript_cannot_be_resumed_but_begun_again(rig: Rigging) -> None:
    async with rig(manner=Manner.HANG) as r:
        run = await r.client.start("please")
        await r.sink.received.first(lambda hook: hook.event == "UserPromptSubmit")
        await run.kill()
        r.sink.manner = Manner.ANSWER

        resumed = await r.client.start("go on", session_id=run.session_id, resume=True)
        assert await resumed.wait() == 1
        assert "No conversation found" in resumed.stderr

        begun = await r.client.start("go on", session_id=run.session_id)
        assert await begun.wait() == 0
        assert begun.said == ["prompt", "text"]
