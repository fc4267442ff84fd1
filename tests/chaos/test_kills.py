"""SIGKILL for every part of SHIM while sessions are recorded: nothing acknowledged is lost, nothing is torn."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from shim_cli.api import Api
from shim_cli.errors import ApiProblem, NotRunning
from shim_cli.replay import ReplayReport
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import Checkpoint, NewCheckpoint, NewSession, SessionState

from ..stack.rig.client import connected
from ..stack.rig.listener import Listener, listening
from ..stack.rig.player import torn_checkpoints
from ..stack.rig.stack import Stack, free_port, open_home
from ..stack.rig.waiting import INTERVAL, PATIENCE, eventually
from .figures import Back, Figures
from .kills import KILLS, schedule
from .load import Growth, Worker, at_work

WORKERS = 2
LONGEST_CALM = 0.5
"""Seconds at most between being back and the next kill: it may hit anything."""
LONGEST_BACK = 30.0
"""Seconds within which SHIM has to be back here, on a machine that may be busy; 5 s are promised on a quiet one."""
PROBE = "probe"


@pytest.fixture
def stack() -> Iterator[Stack]:
    with open_home() as home:
        stack = Stack(home, free_port())
        stack.up()
        yield stack


@dataclass
class Observer:
    """Finds out when SHIM is back after a kill."""

    api: Api
    listener: Listener
    growth: Growth

    def back(self, since: float) -> Back:
        """Wait until writing, events and transcripts work again; the times count from `since`."""
        lines = len(self.growth.keys) + 1
        checkpoint = eventually(lambda: self._written(since), "a write is acknowledged")
        writing = time.monotonic() - since
        eventually(lambda: self.listener.has_heard_checkpoint(checkpoint.id), "its event is told")
        events = time.monotonic() - since
        eventually(lambda: self._stored() >= lines, "the transcript is followed")
        return Back(writing, events, time.monotonic() - since)

    def _written(self, since: float) -> Checkpoint | None:
        return _unless_away(lambda: self.api.make_checkpoint(PROBE, NewCheckpoint(note=f"{since}")))

    def _stored(self) -> int:
        session = _unless_away(lambda: self.api.session(self.growth.session))
        return session.position if session is not None else 0


def _unless_away[Result](ask: Callable[[], Result]) -> Result | None: ...
