"""The client is killed at every boundary: nothing that SHIM has acknowledged is lost, and work goes on."""

import socket

import pytest
from harness.client import Run
from harness.eventually import until_quiet
from harness.journal import Journal
from harness.scene import Scene, Stage
from harness.script import Fault, Point, Trouble, says
from harness.stack import Stack
from harness.told import Given, Told, complaints, unread, unsaid
from harness.transcript import texts
from kills import BOUNDARIES, VERSIONS, Kill, deal
from turn import ALONE

from shim_common.contracts.sessions import SessionState

TEST_COMMAND_KILLS = 10
"""One at each boundary, and one more; `make chaos` asks for more."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Deal the kills that the command line asks for."""
    if "kill" in metafunc.fixturenames:
        option = metafunc.config.getoption
        kills = deal(option("kills", None) or TEST_COMMAND_KILLS, option("kills_seed", None) or 0)
        ids = [f"{number}-{kill.version}-{kill.boundary}" for number, kill in enumerate(kills, 1)]
        metafunc.parametrize("kill", kills, ids=ids)


@pytest.mark.client
async def test_what_was_acknowledged_survives(stage: Stage, stack: Stack, door: socket.socket, kill: Kill) -> None:
    async with Journal(stack.url, door) as journal, stage(kill.version, url=journal.url) as s:
        run = await kill.of(s, journal)
        assert kill.late or journal.of(run.session_id)[-1].event == kill.last_hook
        before = await settled(s, journal, run)
        told = Told.by(journal.of(run.session_id))
        await goes_on(s, journal, run, told, before)
        assert journal.refused == []


async def settled(s: Scene, journal: Journal, run: Run) -> Given:
    """Wait until SHIM has heard of the death and gives back all that it was told; return what it gives."""
    given: list[Given] = []

    async def ask() -> list[str]:
        given.append(await s.given(run.session_id))
        told = Told.by(journal.of(run.session_id))
        running = {process.pid for process in run.tool_processes()}
        return [*complaints(told, given[-1], running), *unread(s.home.transcript(run.session_id), given[-1])]

    try:
        await until_quiet(ask)
    except TimeoutError as error:
        raise AssertionError(f"{error}\n{s.stack.logged(run.session_id)}") from None
    return given[-1]


async def goes_on(s: Scene, journal: Journal, run: Run, told: Told, before: Given) -> None:
    """Resume the session and see the bundle in its first request, whole; and the session active as it was before."""
    steps = sum(request.step is not None for request in s.api.requests)
    s.api.play([says("Going on.", fault=Fault(Trouble.STALL, Point.HEADERS))])
    again = await s.client.start("Go on.", ALONE, session_id=run.session_id, resume=bool(run.said))
    request = await s.api.step(steps + 1)
    start = next(hook for hook in reversed(journal.of(run.session_id)) if hook.event == "SessionStart")
    assert list(unsaid(told, before, start.context)) == []
    assert any(start.context in text for text in texts(request.body["messages"]))
    now = await s.session(run.session_id)
    assert (now.id, now.chain_id, now.state) == (before.session.id, before.session.chain_id, SessionState.ACTIVE)
    s.api.release()
    assert (await again.wait(), again.stderr, again.stray) == (0, "", [])


def test_kills_are_dealt_evenly() -> None:
    kills = deal(2 * len(BOUNDARIES) * len(VERSIONS), seed=7)
    first, second = kills[: len(kills) // 2], kills[len(kills) // 2 :]
    every = {(boundary, version) for boundary in BOUNDARIES for version in VERSIONS}
    for half in (first, second):
        assert {(kill.boundary, kill.version) for kill in half} == every
    assert {kill.late for kill in first} == {0.0}
    assert all(0 < kill.late < 1 for kill in second)
    assert deal(5, seed=1) == deal(9, seed=1)[:5] != deal(5, seed=2)
