"""A lasting alarm out of a probability that moves up and down."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AlarmRule:
    """Raised at `enter`, lowered below `leave`; between them it stays as it is.

    A higher `enter` comes too late before sudden growth, a lower one too early in slow sessions: from .5 to .8 the
    outcome differs for one compaction in 28. `leave` makes no difference from .1 to .4.
    """

    enter: float = 0.6
    leave: float = 0.1

    def next(self, probability: float, *, raised: bool) -> bool:
        """Tell whether the alarm stands after this probability."""
        return probability >= (self.leave if raised else self.enter)
