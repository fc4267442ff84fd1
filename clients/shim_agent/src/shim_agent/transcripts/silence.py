"""Notices a session whose transcript grows while nothing else reports it: its hooks do not arrive."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shim_common.contracts.sessions import Appended

ALARM_ENTRIES = 30
"""Entries in a row that only the transcript told of. A turn with one tool call writes about five, and raises
four hooks, so with working hooks other entries come in between long before."""

LIVE = timedelta(minutes=2)
"""Older entries are history that is being caught up with: their hooks were due before, and say nothing now."""


@dataclass(frozen=True, slots=True)
class HookSilence:
    """How many live entries in a row came from transcripts alone, judged by the positions in the session's log."""

    entries: int = 0
    position: int | None = None

    @property
    def alarming(self) -> bool:
        """Whether the hooks seem to be missing."""
        return self.entries >= ALARM_ENTRIES

    def after(self, answer: Appended, newest: datetime, now: datetime) -> "HookSilence":
        """Return the state after an append whose newest entry happened at `newest`."""
        others = self.position is not None and answer.position - answer.appended > self.position
        counted = 0 if others else self.entries
        if now - newest <= LIVE:
            counted += answer.appended
        return replace(self, entries=counted, position=answer.position)
