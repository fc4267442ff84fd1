"""Time as the rules need it: wall time for people, monotonic time for waits, and which boot the latter counts from."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import FiniteFloat

from shim_common.contracts.base import Wire


class Stamp(Wire):
    """A moment of a monotonic clock. Kept on disk it outlives a reboot; what it counted from then does not."""

    boot: str
    monotonic: FiniteFloat


@dataclass(frozen=True, slots=True)
class Now:
    """The present. `boot` names the start of the machine that `monotonic` counts its seconds from."""

    wall: datetime
    monotonic: float
    boot: str = ""

    def stamp(self) -> Stamp:
        """Return the present as it can be kept."""
        return Stamp(boot=self.boot, monotonic=self.monotonic)

    def seconds_since(self, earlier: Stamp) -> float | None:
        """Return the seconds since then; None where that cannot be known: another boot, or a clock that went back."""
        if earlier.boot != self.boot or earlier.monotonic > self.monotonic:
            return None
        return self.monotonic - earlier.monotonic

    def after(self, seconds: float) -> datetime:
        """Return the wall time so many seconds from now."""
        return self.wall + timedelta(seconds=seconds)
