"""When a session counts as interrupted, and when the clock cannot be trusted to tell.

Interrupted: the process ended or the heartbeat lapsed, and no end of the turn came after the last prompt.
A `SessionEnd` hook proves nothing: it fires for a kill by SIGTERM or a closed terminal too.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from shim_common.contracts.sessions import SessionState

JUMP = 5.0
"""Seconds by which wall-clock and monotonic time may drift apart between two looks."""


def state_after_end(*, turn_open: bool) -> SessionState:
    """Return the state once the process is known to be gone."""
    return SessionState.INTERRUPTED if turn_open else SessionState.ENDED


@dataclass
class LapseWatch:
    """Says from when on a silent session has lapsed, and waits afresh when the clock has jumped.

    A laptop that slept, or a clock set by an hour, would otherwise make every session look dead at once.
    """

    lapse_seconds: float
    _wall: datetime | None = None
    _monotonic: float = 0.0
    _trusted_since: datetime | None = None

    def silent_before(self, wall: datetime, monotonic: float) -> datetime | None:
        """Return the moment before which a last beat means a lapse; None while it cannot be told."""
        if self._wall is None or self._jumped(wall, monotonic):
            self._trusted_since = wall
        self._wall, self._monotonic = wall, monotonic
        lapse = timedelta(seconds=self.lapse_seconds)
        if self._trusted_since is None or wall - self._trusted_since < lapse:
            return None
        return wall - lapse

    def _jumped(self, wall: datetime, monotonic: float) -> bool:
        if self._wall is None:
            return True
        drift = (wall - self._wall).total_seconds() - (monotonic - self._monotonic)
        return abs(drift) > JUMP
