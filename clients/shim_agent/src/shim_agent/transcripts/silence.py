"""Notices a session that only its transcript tells of: its hooks do not arrive."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

ALARM_ENTRIES = 10
"""Entries after which the alarm is raised where no hook ever came: two turns or so."""

CEASED_ENTRIES = 30
"""Entries after which it is raised where hooks came before: a long reply without a tool call stays below."""

MOST_AT_ONCE = 3
"""What one append then counts for at most: what was missed while SHIM was away comes in a few large ones."""

FRESH = timedelta(seconds=10)
"""A session seen this soon after its first record began before our eyes. The agent takes half a second; SHIM
that came up in the middle of a session is later than this."""


@dataclass(frozen=True, slots=True)
class HookSilence:
    """Whether hooks arrive beside the transcript, as they do where they work.

    The first hooks fire before the client writes its first line, and open the session; where the agent had to open a
    session that just began, they did not arrive. `entries` counts what was stored since the last hook was heard at
    `hooked_at`.
    """

    suspected: bool = False
    hooked_at: datetime | None = None
    entries: int = 0

    @property
    def alarming(self) -> bool:
        """Whether the hooks seem to be missing."""
        return self.entries >= (ALARM_ENTRIES if self.suspected else CEASED_ENTRIES)

    def after_opening(self, *, is_new: bool, began_at: datetime | None, now: datetime) -> "HookSilence":
        """Return the state once the agent has asked for the session; `is_new` if nobody had opened it before."""
        is_fresh = began_at is not None and now - began_at <= FRESH
        return HookSilence(suspected=is_new and is_fresh)

    def after_append(self, appended: int, hooked_at: datetime | None) -> "HookSilence":
        """Return the state after so many new entries, where the last hook was heard at this time."""
        if hooked_at != self.hooked_at:
            return HookSilence(hooked_at=hooked_at)
        if self.suspected:
            return replace(self, entries=self.entries + appended)
        if hooked_at is not None:
            return replace(self, entries=self.entries + min(appended, MOST_AT_ONCE))
        return self
