"""Simulates how many calls it takes until the context has grown to a threshold."""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from shim_risk.growth import SPREAD, Growth

PATHS = 512
"""Simulated continuations: a probability comes out in steps of 0.2 %."""

HORIZON = 64
"""Calls simulated; beyond, a path goes on at its mean growth."""

Floats = NDArray[np.float64]


class Passage:
    """Paths drawn once and used for every forecast, so that more context never means less risk.

    Each column holds every quantile of the growth distribution once, in random order.
    """

    def __init__(self, growth: Growth, generator: np.random.Generator) -> None:
        picks = np.stack([generator.permutation(PATHS) for _ in range(HORIZON)], axis=1)
        reached = np.maximum.accumulate(np.cumsum(growth.table(PATHS)[picks], axis=1), axis=1)
        self._reached = np.maximum(reached, 1.0)
        normal = NormalDist()
        deviations = np.array([normal.inv_cdf((path + 0.5) / PATHS) for path in range(PATHS)])
        self._paces = np.exp(SPREAD * generator.permutation(deviations))

    def calls_left(self, room: Floats, pace: float) -> Floats:
        """Return for every path the call that the compaction comes in place of; 1 is the next call.

        `room` is what is left to each path's threshold, in tokens, `pace` the session's own (see `Pace`).
        """
        target = room / (pace * self._paces)
        reached_after = 2.0 + (self._reached < target[:, None]).sum(axis=1)
        beyond = 1.0 + HORIZON * target / self._reached[:, -1]
        calls = np.where(target > self._reached[:, -1], beyond, reached_after)
        return np.where(room <= 0, 1.0, calls)
