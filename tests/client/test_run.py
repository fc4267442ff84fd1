"""The real client under `shim run`, in a terminal: killed at any moment, its session is back in the same place."""

import asyncio
import json
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from harness.client import PERMISSIONS
from harness.eventually import eventually, until_quiet
from harness.install import NEWEST, OLD
from harness.scene import Scene, Stage
from harness.script import Reply, bash, calls, says
from harness.stack import COMMAND
from harness.terminal import BETWEEN_KEYS, agree_to_everything
from harness.tmux import Tmux, Window, is_installed, running_tmux
from harness.transcript import texts
from turn import ALONE, PROMPT

from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Tended
from shim_common.contracts.supervision import IncidentState, Step

pytestmark = [
    pytest.mark.client,
    pytest.mark.skipif(not is_installed(), reason="there is no tmux; on Debian: apt-get install tmux"),
    pytest.mark.xfail(
        raises=TimeoutError, strict=False, reason="on a busy machine the client may miss a key in its dialogs"
    ),
]

TEST_COMMAND_KILLS = 10
LONGEST = 1.2
"""Seconds within which a turn is killed; by itself it takes a little more."""

READY = "accept edits on"
BUNDLE = "SHIM kept this session"
GOING_ON = "going on with session"


@pytest.fixture
async def tmux() -> AsyncIterator[Tmux]:
    """A tmux of this test's own."""
    async with running_tmux() as tmux:
        yield tmux


def turn() -> list[Reply]:
    """Answer a prompt in three steps, each of which takes a while."""
    return [calls(bash("echo one"), delay=0.3), calls(bash("sleep 0.4"), delay=0.2), says("All done.", delay=0.3)]


def open_run(s: Scene, tmux: Tmux, *options: str) -> Window:
    """Start the client under `shim run` in a new window."""
    agree_to_everything(s.client)
    environment = s.client.environment({"TERM": "screen-256color", "SHIM_HOME": str(s.stack.home)})
    client = [str(s.client.installation.executable), *PERMISSIONS, ALONE]
    return tmux.open([str(COMMAND), "run", *options, "--", *client], s.home.project, environment)


def record_in(s: Scene, window: Window) -> dict[str, Any] | None:
    """Return the record of the client that lives in a window."""
    for file in (s.home.config / "sessions").glob("*.json"):
        try:
            record: dict[str, Any] = json.loads(file.read_text())
            if window.pid in [parent.pid for parent in psutil.Process(record["pid"]).parents()]:
                return record
        except (psutil.Error, ValueError, OSError):
            continue  # gone, or being written
    return None


async def client_in(s: Scene, window: Window, *, after: int = 0) -> dict[str, Any]:
    """Wait for a client in the window, another one than the process `after`; return its record."""

    def look() -> dict[str, Any] | None:
        record = record_in(s, window)
        return record if record and record["pid"] != after else None

    try:
        return await eventually(look)
    except TimeoutError:
        raise TimeoutError(f"no client came; the screen shows:\n{window.shown}") from None


async def begun(s: Scene, window: Window) -> dict[str, Any]:
    """Give a prompt to a fresh client; return its record once the model was asked."""
    steps = sum(request.step is not None for request in s.api.requests)
    await window.until(READY)
    record = await client_in(s, window)
    s.api.play(turn())
    await window.enter(PROMPT)
    await s.api.step(steps + 1)
    return record


def is_ready_again(window: Window) -> bool:
    """Say whether the new client waits for a prompt: below what SHIM said, or on the screen it keeps to itself."""
    if window.is_alternate:
        return READY in window.shown
    _, said, below = window.shown.rpartition(GOING_ON)
    return bool(said) and READY in below


async def goes_on(s: Scene, window: Window, before: dict[str, Any]) -> dict[str, Any]:
    """See the same session in the same window, and the bundle in its next request; return its record."""
    record = await client_in(s, window, after=before["pid"])
    assert record["sessionId"] == before["sessionId"]
    await eventually(lambda: is_ready_again(window))
    steps = sum(request.step is not None for request in s.api.requests)
    s.api.play([says("Going on.")])
    await window.enter("Go on.")
    request = await s.api.step(steps + 1)
    assert request.session_id == before["sessionId"]
    assert any(f"{BUNDLE} ({before['sessionId']})" in text for text in texts(request.body["messages"]))
    await window.until("Going on.")
    return record


async def test_killed_at_random_moments_the_session_is_back(
    stage: Stage, tmux: Tmux, pytestconfig: pytest.Config
) -> None:
    kills = pytestconfig.getoption("kills", None) or TEST_COMMAND_KILLS
    chance = random.Random(pytestconfig.getoption("kills_seed", None) or 0)
    moments = [chance.uniform(0, LONGEST) for _ in range(kills)]

    async def killed(version: str, mine: list[float]) -> None:
        async with stage(version) as s:
            for moment in mine:
                window = open_run(s, tmux, "--tools", "end")
                record = await begun(s, window)
                await asyncio.sleep(moment)
                os.kill(record["pid"], signal.SIGKILL)
                await goes_on(s, window, record)
                assert await window.leave() == 0, f"killed {moment:.3f} s into the turn"
                assert f"{GOING_ON} {record['sessionId']}" in window.shown

    await asyncio.gather(killed(NEWEST, moments[::2]), killed(OLD, moments[1::2]))


@pytest.mark.parametrize("keys", [["/exit", "Enter"], ["C-d", "C-d"]], ids=["slash-exit", "ctrl-d"])
async def test_a_session_that_is_closed_stays_closed(stage: Stage, tmux: Tmux, keys: list[str]) -> None:
    async with stage(NEWEST) as s:
        window = open_run(s, tmux)
        await begun(s, window)
        await window.until("All done.")
        for key in keys:
            window.press(key)
            await asyncio.sleep(BETWEEN_KEYS)
        assert await window.until_ended() == 0
        assert GOING_ON not in window.shown


async def test_a_run_that_is_killed_leaves_its_session_to_the_agent_which_offers_it(stage: Stage, tmux: Tmux) -> None:
    async with stage(NEWEST) as s:
        window = open_run(s, tmux)
        record = await begun(s, window)
        await window.until("All done.")
        store = Store(s.stack.home)
        await eventually(lambda: store.tended_session(record["sessionId"]))
        (run,) = psutil.Process(window.pid).children()
        run.kill()
        known = await eventually(lambda: wanted_back(store, record["sessionId"]))
        assert known.ended is not None
        assert (known.ended.decision.step, known.run) == (Step.OFFER, None)
        await until_quiet(lambda: standing(s, record["sessionId"], IncidentState.OFFERED))

        with launcher(s, tmux):
            said = await asyncio.to_thread(s.stack.run, "restart", record["sessionId"])
        assert said.startswith(f"Session {record['sessionId']} runs again")
        await eventually(lambda: another_client(s, record))
        await until_quiet(lambda: standing(s, record["sessionId"], IncidentState.RESUMED))


async def standing(s: Scene, session: str, wanted: IncidentState) -> list[str]:
    """Say what is wrong with the newest incident of a session, as the service has it."""
    with s.stack.cli_api() as api:
        states = [one.state for one in api.incidents(1, session=session)]
    return [] if states == [wanted] else [f"the incident is {states}"]


def another_client(s: Scene, before: dict[str, Any]) -> bool:
    """Tell whether another process than before says that it works on the session."""
    records = [json.loads(path.read_text()) for path in (s.home.config / "sessions").glob("*.json")]
    return any(one["sessionId"] == before["sessionId"] and one["pid"] != before["pid"] for one in records)


@contextmanager
def launcher(s: Scene, tmux: Tmux) -> Iterator[None]:
    """Have sessions brought back in this tmux."""
    given = [f"{name}={value}" for name, value in s.client.environment({"TERM": "screen-256color"}).items()]
    command = [*tmux.command("new-window", "-d", "-c", "{project}"), "env", "-i", *given, "{resume...}"]
    file = s.stack.home / "launchers.toml"
    file.write_text(f"[launchers.test]\ncommand = {json.dumps(command)}\n")
    file.chmod(0o600)
    try:
        yield
    finally:
        file.unlink()


def wanted_back(store: Store, session: str) -> Tended | None:
    """Return a session that somebody lost."""
    known = store.tended_session(session)
    return known if known and known.is_wanted_back else None


async def test_what_a_killed_client_left_running_is_shown_and_kept_without_an_answer(stage: Stage, tmux: Tmux) -> None:
    async with stage(NEWEST) as s:
        window = open_run(s, tmux)
        await window.until(READY)
        record = await client_in(s, window)
        os.mkfifo(s.home.project / "gate")
        s.api.play([calls(bash("cat gate"))])
        await window.enter(PROMPT)
        await eventually(lambda: [one for one in psutil.Process(record["pid"]).children(recursive=True)
                                  if one.name() == "cat"])  # fmt: skip
        os.kill(record["pid"], signal.SIGKILL)
        await window.until("still running from the session", "cat gate", "[y/N]")
        await window.until("kept what is still running")
        await goes_on(s, window, record)
        (s.home.project / "gate").write_text("open\n")
        assert await window.leave() == 0
