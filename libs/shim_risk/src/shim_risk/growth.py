"""How much the context grows from one call to the next, in tokens.

Growth has a heavy tail and differs between sessions, so a forecast needs three things: how growth is
distributed, how fast this session is against others, and how much that pace may still change.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SETTLING_CALLS = 10
"""Calls after a start or a compaction that are left out: files are read then, growth is twice to four times as
large (mean 2,700 to 3,800 tokens in the first five calls, 1,000 after the twentieth)."""

CLIP = 5_000
"""Growth above this counts as this much when a session's pace is measured: 97 % of calls stay below."""

SHRINK = -2_000
"""A fall beyond this is no growth: something was cut out of the conversation."""

PACE_HALF_LIFE = 15
"""Calls after which a growth counts half in the session's pace; the likelihood is flat from 10 to 30."""

PACE_PRIOR = 20.0
"""Calls of other sessions that a session's own pace is blended with; the likelihood is flat from 15 to 60."""

SPREAD = 0.35
"""Standard deviation of the logarithm of the pace from here to the compaction: with it four fifths of the
compactions lie in their 80 % intervals, without it two thirds."""

LEVELS = (0.0, 0.01, 0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.97, 0.98, 0.99, 0.995, 0.998, 1.0)
"""Where the distribution's quantiles are taken."""

_DECAY = 0.5 ** (1 / PACE_HALF_LIFE)


@dataclass(frozen=True, slots=True)
class Growth:
    """The distribution: tokens a call at each of `LEVELS`, rising."""

    quantiles: tuple[float, ...]

    @classmethod
    def fit(cls, samples: Iterable[float]) -> "Growth":
        """Take the distribution of these growths. Raises ValueError without any."""
        values = np.fromiter(samples, dtype=np.float64)
        if not values.size:
            raise ValueError("a distribution needs at least one growth")
        return cls(tuple(float(value) for value in np.quantile(values, LEVELS)))

    def table(self, size: int) -> NDArray[np.float64]:
        """Return `size` equally probable growths, rising."""
        return np.interp((np.arange(size) + 0.5) / size, LEVELS, self.quantiles)

    @property
    def pace(self) -> float:
        """Mean growth as `Pace` measures it, at least one token."""
        return max(1.0, float(np.clip(self.table(1_000), 0, CLIP).mean()))


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a session grows: the fading sum of its growths, and of how many."""

    total: float = 0.0
    weight: float = 0.0

    def grown(self, tokens: float) -> "Pace":
        """Add the growth of a call."""
        return Pace(self.total * _DECAY + min(max(tokens, 0.0), CLIP), self.weight * _DECAY + 1)

    def against(self, usual: float) -> float:
        """Return the pace as a multiple of the usual one, blended with it; above 0."""
        return (PACE_PRIOR * usual + self.total) / ((PACE_PRIOR + self.weight) * usual)


def is_growth(tokens: float, calls: int) -> bool:
    """Tell whether a change tells how a session grows, that many calls after its start or compaction."""
    return calls > SETTLING_CALLS and tokens >= SHRINK
