"""A watched process as the supervisor keeps it."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import NewWatch, Owner, Watch, WatchBeat, WatchState
from shim_common.kernel.errors import Unprocessable

SILENCE = timedelta(seconds=30)
"""A watch without a beat for so long is unknown: its agent beats every 5 s, and six in a row are not lost."""


def check_created(created: float) -> None:
    """Refuse what is no point in time.

    Raises:
        Unprocessable: no process has such a creation time.
    """
    if not math.isfinite(created):
        raise Unprocessable(f"{created} is no creation time of a process", code="no_creation_time")


def not_after(moment: datetime, now: datetime) -> datetime:
    """Return a moment that a reporter gave, or the present where the reporter's clock is ahead."""
    return min(moment, now)


@dataclass
class KeptWatch:
    """A watch. `no` is the store's own number for it, 0 before it is stored."""

    id: str
    client: str
    session: str
    project: str
    process: ProcessRef
    managed_by: Owner
    policy: str
    group: str | None
    started_under_shim: bool
    since: datetime
    last_seen_at: datetime | None = None
    ended_at: datetime | None = None
    rss_bytes: int | None = None
    transcript_bytes: int | None = None
    no: int = 0

    def public(self, now: datetime) -> Watch:
        """Return what is told of the watch."""
        return Watch(
            id=self.id,
            client=self.client,
            session=self.session,
            project=self.project,
            process=self.process,
            managed_by=self.managed_by,
            policy=self.policy,
            group=self.group,
            started_under_shim=self.started_under_shim,
            state=self.state(now),
            since=self.since,
            last_seen_at=self.last_seen_at,
            ended_at=self.ended_at,
            rss_bytes=self.rss_bytes,
            transcript_bytes=self.transcript_bytes,
        )

    def state(self, now: datetime) -> WatchState:
        """Return where the watch stands. Silence proves no end: what became of the process is unknown then."""
        if self.ended_at is not None:
            return WatchState.ENDED
        is_silent = (self.last_seen_at or self.since) < now - SILENCE
        return WatchState.UNKNOWN if is_silent else WatchState.RUNNING

    def claim(self, command: NewWatch) -> None:
        """Take what is said of a process that is watched already.

        An agent finds every client that runs, those that somebody else started too: it gives way to any other owner,
        and what it says of another owner's watch changes nothing.
        """
        if self.managed_by is Owner.AGENT:
            self.managed_by = command.managed_by
        if self.managed_by is command.managed_by:
            self.project, self.policy, self.group = command.project, command.policy, command.group
            self.started_under_shim = command.started_under_shim

    def beat(self, beat: WatchBeat, now: datetime) -> None:
        """Take a sign of life; one that comes late does not undo a newer one, and none wakes the dead."""
        seen_at = not_after(beat.seen_at, now)
        if self.ended_at is not None or (self.last_seen_at is not None and seen_at < self.last_seen_at):
            return
        self.last_seen_at = seen_at
        self.rss_bytes = beat.rss_bytes
        self.transcript_bytes = beat.transcript_bytes
