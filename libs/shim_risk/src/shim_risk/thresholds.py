"""The count of tokens at which a client compacts by itself: declared, learnt, and narrowed down by a session.

A threshold is never a bare number here but a few `Candidate` ranges with weights. Sessions rule candidates out:
a call that goes through above one disproves it, an automatic compaction pins it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

LARGEST_JUMP = 30_000
"""What a single call adds at most, in tokens: one in a thousand adds more. A threshold lies at most this far below
the `pre_tokens` of a compaction."""

_STRIDE = 37.0
"""Paths next to each other are dealt points of a candidate's range this many paths' shares apart."""

NEGLIGIBLE = 0.05
"""Share of the weight below which a candidate is not counted to the range that is reported."""


@dataclass(frozen=True, slots=True)
class ThresholdKey:
    """What a threshold depends on. None is "not known"."""

    model: str | None = None
    window: int | None = None
    client_version: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a session tells about its threshold.

    `passed` is the largest count that a call went on from without a compaction, `pre_tokens` the count at which
    the last automatic compaction came, None as long as there was none.
    """

    passed: int = 0
    pre_tokens: int | None = None

    def going_on(self, tokens: int) -> "Evidence":
        """Add that a call went on from this count."""
        return replace(self, passed=max(self.passed, tokens))

    def compacted(self, pre_tokens: int) -> "Evidence":
        """Add an automatic compaction. One below what was passed before means that a setting has changed."""
        lowest = max(0, pre_tokens - LARGEST_JUMP)
        return Evidence(self.passed if lowest < self.passed < pre_tokens else lowest, pre_tokens)


UNKNOWN = Evidence()
"""What a new session tells."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """The threshold may lie from `low` to `high` tokens; `source` says in words why."""

    low: float
    high: float
    weight: float
    source: str

    @property
    def middle(self) -> float:
        """The best single number."""
        return (self.low + self.high) / 2


@dataclass(frozen=True, slots=True)
class ThresholdEstimate:
    """At least one candidate; their weights need no sum."""

    candidates: tuple[Candidate, ...]

    @property
    def tokens(self) -> int:
        """The best single number: the middle of the candidate at the median."""
        return round(self._median.middle)

    @property
    def low(self) -> int:
        """Smallest threshold that is not negligible."""
        return round(min(candidate.low for candidate in self._relevant()))

    @property
    def high(self) -> int:
        """Largest threshold that is not negligible."""
        return round(max(candidate.high for candidate in self._relevant()))

    @property
    def source(self) -> str:
        """Where the candidate at the median comes from."""
        return self._median.source

    def spread_over(self, paths: int) -> NDArray[np.float64]:
        """Deal the candidates out to so many simulated paths, in proportion to their weights."""
        ranked = sorted(self.candidates, key=lambda candidate: candidate.low)
        shares = np.cumsum([candidate.weight for candidate in ranked])
        points = (np.arange(paths) + 0.5) / paths
        owners = np.minimum(np.searchsorted(shares / shares[-1], points), len(ranked) - 1)
        lows = np.array([candidate.low for candidate in ranked])
        widths = np.array([candidate.high - candidate.low for candidate in ranked])
        within = np.modf(points * _STRIDE)[0]
        return np.asarray(lows[owners] + within * widths[owners], dtype=np.float64)

    @property
    def _median(self) -> Candidate:
        ranked = sorted(self.candidates, key=lambda candidate: (candidate.middle, candidate.weight))
        shares = np.cumsum([candidate.weight for candidate in ranked])
        return ranked[int(np.searchsorted(shares, shares[-1] / 2))]

    def _relevant(self) -> list[Candidate]:
        total = sum(candidate.weight for candidate in self.candidates)
        return [candidate for candidate in self.candidates if candidate.weight >= NEGLIGIBLE * total]


def narrowed(candidates: tuple[Candidate, ...], evidence: Evidence) -> tuple[Candidate, ...]:
    """Return what a session leaves of the candidates: nothing if it disproves all of them.

    Where none agrees with the session's own compaction, its word is taken alone.
    """
    if evidence.pre_tokens is None:
        return above(candidates, evidence.passed)
    pre_tokens = float(evidence.pre_tokens)
    agreeing = tuple(
        replace(candidate, high=min(candidate.high, pre_tokens))
        for candidate in above(candidates, evidence.passed)
        if candidate.low <= pre_tokens
    )
    if agreeing or evidence.passed >= pre_tokens:
        return agreeing
    return (Candidate(evidence.passed, pre_tokens, 1.0, "this session's own compaction"),)


def above(candidates: Iterable[Candidate], passed: float) -> tuple[Candidate, ...]:
    """Return what is left of the candidates where a session has passed some count."""
    return tuple(
        replace(candidate, low=max(candidate.low, passed)) for candidate in candidates if candidate.high > passed
    )


def weighing(candidates: tuple[Candidate, ...], total: float) -> tuple[Candidate, ...]:
    """Return the candidates with weights that have this sum."""
    present = sum(candidate.weight for candidate in candidates)
    return tuple(replace(candidate, weight=candidate.weight / present * total) for candidate in candidates)


def beyond(passed: float) -> Candidate:
    """Return a guess for when everything known was passed."""
    return Candidate(passed, passed + LARGEST_JUMP, 1.0, "above everything known; it was passed in this session")
