"""Replays recordings through the real API, with nobody watching."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shim_cli.api import Api
from shim_cli.replay import Player, Recording, ReplayReport, Wish
from shim_common.contracts.sessions import Checkpoint, Recovery, SessionState
from shim_common.kernel.clock import SystemClock


@dataclass
class Nobody:
    """An audience that only remembers what it was told last."""

    end: int = 0
    recovery: Recovery | None = None

    def started(self, recording: Recording, size: int) -> None:
        """Nothing to do."""

    def advanced(self, end: int) -> None:
        """Remember how far it is stored."""
        self.end = end

    def killed(self, recovery: Recovery) -> None:
        """Remember what was said about the kill."""
        self.recovery = recovery


def replay(api: Api, path: Path, *, kill_at: int | None = None, project: Path | None = None) -> ReplayReport:
    """Replay one recording as fast as it goes, and verify it."""
    return Player(api, SystemClock(), Nobody()).play(Recording(path), Wish(kill_at=kill_at, project=project))


def torn_checkpoints(api: Api, sid: str) -> Sequence[Checkpoint]:
    """The checkpoints of a session that do not verify: none is what there has to be."""
    return [one for one in api.checkpoints(sid, 1000) if not api.checkpoint(one.id).verified]


def assert_stored(api: Api, report: ReplayReport) -> None:
    """A replay that was verified, ended, and whose checkpoints all hold."""
    assert report.verification.differences == ()
    assert report.session is not None
    session = api.session(report.session.id)
    assert (session.state, session.position) == (SessionState.ENDED, report.verification.entries)
    assert not torn_checkpoints(api, session.id)
