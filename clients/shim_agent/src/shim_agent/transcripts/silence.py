"""Notices a session that only its transcript tells of: its hooks do not arrive."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

ALARM_ENTRIES = 10
"""Entries after which the alarm is raised: two turns or so."""

FRESH = timedelta(seconds=10)
"""A session seen this soon after its first record began before our eyes. The agent takes half a second; SHIM
that came up in the middle of a session is later than this."""


@dataclass(frozen=True, slots=True)
class HookSilence:
    """Whether hooks came before the transcript, as they do where they work.

    The first hooks fire before the client writes its first line, and open the session. Where the agent had to open
    a session that just began, they did not arrive; `entries` counts what was stored since. Hooks that cease in the
    middle of a session are not noticed here.
    """

    suspected: bool = False
    entries: int = 0

    @property
    def alarming(self) -> bool:
        """Whether the hooks seem to be missing."""
        return self.entries >= ALARM_ENTRIES

    def after_opening(self, *, is_new: bool, began_at: datetime | None, now: datetime) -> "HookSilence":
        """Return the state once the agent has asked for the session; `is_new` if nobody had opened it before."""
        is_fresh = began_at is not None and now - began_at <= FRESH
        return HookSilence(suspected=is_new and is_fresh)

    def after_append(self, appended: int) -> "HookSilence":
        """Return the state after so many new entries."""
        return replace(self, entries=self.entries + appended) if self.suspected else self
