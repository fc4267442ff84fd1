"""SIGKILL for every part of SHIM while sessions are recorded: nothing acknowledged is lost, nothing is torn."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from shim_cli.api import Api
from shim_cli.errors import ApiProblem, NotRunning
from shim_cli.replay import ReplayReport
from shim_common.contracts.sessions import Checkpoint, NewCheckpoint, NewSession

from ..stack.rig.client import connected
from ..stack.rig.listener import Listener, listening
from ..stack.rig.stack import Stack, free_port, open_home
from ..stack.rig.waiting import eventually
from .audit import Audit, audit
from .figures import Back, Figures
from .kills import KILLS, schedule
from .load import Growth, Worker, at_work

pytestmark = pytest.mark.stack

WORKERS = 2
LONGEST_CALM = 0.5
"""Seconds at most between being back and the next kill, which so may hit anything."""
LONGEST_BACK = 30.0
"""Seconds within which SHIM has to be back even on a busy machine; what it took is printed."""
PROBE = "probe"

Result = TypeVar("Result")


@pytest.fixture
def stack() -> Iterator[Stack]:
    with open_home() as home:
        stack = Stack(home, free_port())
        stack.up()
        yield stack


@dataclass(frozen=True)
class Observer:
    """Finds out when SHIM is back after a kill."""

    api: Api
    listener: Listener
    growth: Growth

    def back(self, since: float) -> Back:
        """Wait until writing, events and following transcripts work again; the times count from `since`."""
        lines = len(self.growth.keys) + 1
        checkpoint = eventually(self._written, "a write is acknowledged")
        writing = time.monotonic() - since
        eventually(lambda: self.listener.has_heard_checkpoint(checkpoint.id), "its event is told")
        events = time.monotonic() - since
        eventually(lambda: self.followed() >= lines, "the transcript is followed")
        return Back(writing, events, time.monotonic() - since)

    def _written(self) -> Checkpoint | None:
        return _unless_away(lambda: self.api.make_checkpoint(PROBE, NewCheckpoint()))

    def followed(self) -> int:
        """How many lines of the transcript are stored."""
        session = _unless_away(lambda: self.api.session(self.growth.session))
        return session.position if session is not None else 0


def _unless_away(ask: Callable[[], Result]) -> Result | None:
    """Ask; None where SHIM is away or does not know yet what is asked about."""
    try:
        return ask()
    except NotRunning:
        return None
    except ApiProblem as problem:
        assert problem.problem.status in (404, 503), problem.problem
        return None


def test_nothing_acknowledged_is_lost(
    stack: Stack, tmp_path: Path, rounds: int | None, seed: int, figures: Figures
) -> None:
    chance = random.Random(seed)
    workers = [Worker(stack) for _ in range(WORKERS)]
    with (
        stack.api() as api,
        listening(stack.url, stack.key()) as listener,
        connected(stack.home, tmp_path / "config") as client,
    ):
        growth = Growth(client)
        observer = Observer(api, listener, growth)
        probe = api.open_session(NewSession(client="test", client_session_id=PROBE, project="/shim-test/chaos"))
        with at_work(*workers, growth):
            eventually(observer.followed, "the transcript is followed")
            for kind in schedule(rounds, chance):
                time.sleep(chance.uniform(0, LONGEST_CALM))
                since = time.monotonic()
                KILLS[kind](stack)
                figures.back[kind].append(observer.back(since))

        reports = [report for worker in workers for report in worker.reports]
        eventually(lambda: observer.followed() >= len(growth.keys), "all of the transcript is followed")
        found = audit(api, listener, reports, [probe.id, growth.session])
        followed = [entry.key for entry in api.entries(growth.session)]
    note(figures, workers, found, listener, len(followed))

    for worker in workers:
        if worker.error is not None:
            raise worker.error
    assert reports
    assert (found.lost, found.damaged, found.torn, found.untold, found.unheard, found.odd_lives) == ([],) * 6
    assert followed == growth.keys
    assert calls_in_flight(reports) == {(("finished", True), ("unknown", False))}
    assert {status for worker in workers for status in worker.transport.statuses if status >= 500} <= {503}
    assert max(one.whole for times in figures.back.values() for one in times) < LONGEST_BACK
    assert_goes_down(stack)


def calls_in_flight(reports: Sequence[ReplayReport]) -> set[tuple[tuple[str, bool], ...]]:
    """What was said about the calls in flight at the kills of the client: outcome, and whether the output is known."""
    recoveries = [report.recovery for report in reports if report.recovery is not None]
    assert len(recoveries) == len(reports)
    assert all(recovery.interrupted for recovery in recoveries)
    return {tuple((call.outcome, bool(call.output)) for call in recovery.pending) for recovery in recoveries}


def assert_goes_down(stack: Stack) -> None:
    """A clean stop after all that leaves nothing behind."""
    running = stack.identities()
    down = stack.shim("down")

    assert (down.code, "SHIM is stopped." in down.output) == (0, True)
    assert not [identity for identity in running if identity.is_alive]
    assert stack.shim("status").code == 3


def note(figures: Figures, workers: Sequence[Worker], found: Audit, listener: Listener, followed: int) -> None:
    """Add the counts."""
    reports = [report for worker in workers for report in worker.reports]
    figures.counts.update(
        {
            "sessions replayed": len(reports),
            "entries acknowledged": sum(report.sent for report in reports),
            "hooks acknowledged": sum(report.hooks for report in reports),
            "requests repeated": sum(report.retries for report in reports),
            "entries lost or different": len(found.lost),
            "checkpoints verified": len(found.checkpoints) - len(found.torn),
            "checkpoints torn": len(found.torn),
            "events kept": len(found.events),
            "events the stream never told": len(found.unheard),
            "times the stream was resumed": listener.resumed,
            "transcript lines followed": followed,
        }
    )
