"""Time comes in from outside: aware, UTC, and replaceable in tests."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What a component may know about time."""

    def now(self) -> datetime:
        """Wall-clock time, aware and UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, from an arbitrary start."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Wall-clock time, aware and UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump, from an arbitrary start."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is told to move; wall and monotonic time move apart on `jump`."""

    def __init__(self, start: datetime) -> None:
        self._now = aware(start)
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Wall-clock time, aware and UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass: both clocks move."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock wrong, as an administrator or a time server would: only it moves."""
        self._now += timedelta(seconds=seconds)


def aware(moment: datetime) -> datetime:
    """Return the moment in UTC.

    Raises:
        ValueError: the moment has no time zone, so it could mean anything.
    """
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone; give one, for example datetime.now(UTC)")
    return moment.astimezone(UTC)
