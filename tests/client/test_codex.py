"""The real Codex, connected with the real SHIM by `shim connect codex`, and killed in the middle of a tool."""

import asyncio
import errno
import os
import shlex
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness.codex import CONFIG, FLAGS, Codex, CodexRun, install_codex, shell
from harness.codex_api import TOKENS_A_REQUEST, CodexApi, words
from harness.eventually import until_quiet
from harness.install import ClientUnavailable, Installation
from harness.script import calls, says
from harness.stack import Stack

from shim_common.contracts.sessions import Entry, EntryKind, Recovery
from shim_mcp.api import ApiError, HttpApi
from shim_transcripts import messages, tool_calls

pytestmark = pytest.mark.client

PROMPT = "Sort the drawers of the workshop; never throw anything away."
SAID, PRINTED, LAST = "First I look.", "forty screws", "The drawers are sorted."
BUNDLE = "SHIM kept this session"


@dataclass
class Bench:
    """The running parts."""

    codex: Codex
    api: CodexApi
    stack: Stack
    shim: HttpApi
    config: str

    async def entries(self, thread: str) -> list[Entry]:
        """Return the thread's whole log."""
        return (await self.shim.entries(thread, after=0, limit=200)).items

    async def killed_in_a_tool(self) -> CodexRun:
        """Let Codex work through a call and kill it in the next one."""
        os.mkfifo(self.codex.project / "gate")
        self.api.play([calls(shell(f"echo {PRINTED}"), text=SAID), calls(shell("cat gate"))])
        run = await self.codex.start(*FLAGS, PROMPT)
        self.runs.append(run)
        await run.known()
        await run.until_running("cat")
        await until_quiet(lambda: unknown(self, run))
        await run.kill()
        return run

    def __post_init__(self) -> None:
        """Remember what is started."""
        self.runs: list[CodexRun] = []


@pytest.fixture(scope="module")
def installed() -> Installation:
    try:
        return install_codex()
    except ClientUnavailable as missing:
        pytest.skip(f"the real Codex cannot be had: {missing}")


@pytest.fixture
def bench(installed: Installation, stack: Stack, tmp_path: Path) -> Callable[[], AbstractAsyncContextManager[Bench]]:
    """Start API and a connected Codex: `async with bench() as b`."""

    @asynccontextmanager
    async def start() -> AsyncIterator[Bench]:
        codex = Codex(installed, tmp_path)
        where = ("--config-dir", codex.config_dir)
        path = {"PATH": f"{installed.executable.parent}:/usr/bin:/bin"}
        async with CodexApi() as api, stack.api() as shim:
            codex.settle(api.url)
            stack.run("connect", "codex", *where, environment=path)
            started = Bench(codex, api, stack, shim, CONFIG.format(url=api.url))
            try:
                yield started
            finally:
                for run in started.runs:
                    await run.end()
                stack.run("disconnect", "codex", *where)

    return start


async def test_what_it_did_is_stored_and_the_way_back_is_named(
    bench: Callable[[], AbstractAsyncContextManager[Bench]],
) -> None:
    async with bench() as b:
        run = await b.killed_in_a_tool()
        await until_quiet(lambda: doubts(b, run))
        entries = await b.entries(run.thread)
        recovery = await b.shim.recovery(session_id=run.thread)
        shown = b.stack.run("resume", run.thread)

        b.api.play([calls(shell("cat gate")), says(LAST)])
        again = await b.codex.start("resume", run.thread, *FLAGS, "Go on.")
        b.runs.append(again)
        assert await again.known() == run.thread
        await until_quiet(lambda: unknown(b, again))
        ended = asyncio.create_task(again.wait())
        await let_through(b.codex.project / "gate", again)
        assert await ended == 0
        await until_quiet(lambda: unsaid(b, run, LAST))
        await until_quiet(lambda: unfinished(b, run))

    bodies = [entry.body for entry in entries if entry.kind is EntryKind.MESSAGE]
    assert [said.text for said in messages(bodies) if said.text and not said.is_meta] == [PROMPT, SAID]
    done, under_way = tool_calls(bodies)
    assert (done.name, done.input) == ("Bash", {"command": f"echo {PRINTED}"})
    assert done.result is not None
    assert not done.result.is_error
    assert PRINTED in str(done.result.content)
    assert (under_way.input, under_way.result) == ({"command": "cat gate"}, None)
    used = [entry.body for entry in entries if entry.kind is EntryKind.USAGE]
    assert [one["input_tokens"] + one["cache_read_input_tokens"] for one in used] == [
        TOKENS_A_REQUEST,
        2 * TOKENS_A_REQUEST,
    ]

    assert recovery.session is not None
    assert (recovery.session.client, recovery.session.project) == ("codex", str(b.codex.project))
    assert recovery.session.client_version == b.codex.installation.version
    assert recovery.confidence == "certain"
    assert "process ended" in recovery.why
    assert recovery.resume == ["codex", "resume", run.thread]
    command = f"cd {shlex.quote(str(b.codex.project))} && codex resume {run.thread}"
    assert command in shown


async def test_hooks_that_are_trusted_put_the_bundle_before_the_model(
    bench: Callable[[], AbstractAsyncContextManager[Bench]],
) -> None:
    async with bench() as b:
        assert await b.codex.trust_hooks() == 8
        run = await b.killed_in_a_tool()
        await until_quiet(lambda: doubts(b, run))
        b.api.play([says(LAST)])
        again = await b.codex.start("resume", run.thread, *FLAGS, "Go on.")
        b.runs.append(again)
        assert await again.wait() == 0
        after = await b.shim.session(run.thread)
        bundles = [text for text in words(b.api.asked[-1]) if text.startswith(BUNDLE)]
        before = [text for request in b.api.asked[:2] for text in words(request) if BUNDLE in text]
    assert before == []
    (bundle,) = bundles
    assert all(part in bundle for part in (run.thread, PROMPT, "cat gate"))
    assert after.state == "ended"


async def test_untrusted_hooks_do_not_run_and_the_configuration_comes_back_byte_for_byte(
    bench: Callable[[], AbstractAsyncContextManager[Bench]],
) -> None:
    async with bench() as b:
        config = b.codex.config_dir / "config.toml"
        assert tomllib.loads(config.read_text())["mcp_servers"].keys() == {"shim"}
        b.api.play([says(LAST)])
        run = await b.codex.start(*FLAGS, PROMPT)
        b.runs.append(run)
        thread = await run.known()
        assert await run.wait() == 0
        await until_quiet(lambda: unsaid(b, run, LAST))
        offered = [tool.get("name") for tool in b.api.asked[0]["tools"]]
        assert any("shim" in str(name) for name in offered), offered
        assert thread
    assert config.read_text() == b.config
    assert not (b.codex.config_dir / "hooks.json").exists()


async def unknown(b: Bench, run: CodexRun) -> list[str]:
    """Say that SHIM does not know yet which process works on the thread."""
    try:
        session = await b.shim.session(run.thread)
    except ApiError as away:
        return [away.detail]
    is_known = session.process is not None and session.process.pid == run.pid
    return [] if is_known else [f"the process is {session.process}"]


async def doubts(b: Bench, run: CodexRun) -> list[str]:
    """Say what differs from an interrupted thread with one call in flight: Codex takes its own children with it."""
    recovery = await asked(b, run)
    if recovery is None:
        return ["the thread is not known"]
    judged = [call.outcome for call in recovery.pending]
    return [] if recovery.interrupted and judged == ["unknown"] else [f"{recovery.why}; calls in flight: {judged}"]


async def asked(b: Bench, run: CodexRun) -> Recovery | None:
    try:
        return await b.shim.recovery(session_id=run.thread)
    except ApiError:
        return None


async def let_through(gate: Path, run: CodexRun) -> None:
    """Open the gate for the command that waits there; a client that was kept too long goes on without it."""
    while not run.has_ended:
        try:
            opened = os.open(gate, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO  # nobody waits there yet
            await asyncio.sleep(0.05)
        else:
            os.write(opened, b"open\n")
            os.close(opened)
            return


async def unfinished(b: Bench, run: CodexRun) -> list[str]:
    """Say that the session counts as interrupted still; its end comes a line after its last words."""
    recovery = await b.shim.recovery(session_id=run.thread)
    return [recovery.why] if recovery.interrupted else []


async def unsaid(b: Bench, run: CodexRun, text: str) -> list[str]:
    """Say that the log lacks these words."""
    try:
        entries = await b.entries(run.thread)
    except ApiError as unknown:
        return [unknown.detail]
    said = [message.text for message in messages([entry.body for entry in entries])]
    return [] if text in said else [f"{text!r} is not among {said}"]
