"""The risk model: what is to be expected of a session's context after each observation."""

from copy import copy
from dataclasses import dataclass, replace

import numpy as np

from shim_risk.alarm import AlarmRule
from shim_risk.book import ThresholdBook
from shim_risk.observations import Observation
from shim_risk.passage import PATHS, Passage
from shim_risk.prior import Prior
from shim_risk.session import SessionRisk
from shim_risk.thresholds import ThresholdEstimate

HORIZON_CALLS = 10
"""`Risk.probability` is that of a compaction within this many API calls."""

INTERVAL = (0.1, 0.9)
"""Quantiles between which `calls_left` lies with 80 %."""

_RANKS = [round(quantile * (PATHS - 1)) for quantile in (INTERVAL[0], 0.5, INTERVAL[1])]


@dataclass(frozen=True, slots=True)
class Risk:
    """What is to be expected of a session's context.

    `probability` is that of an automatic compaction within the next 10 API calls. `calls_left` is the median of
    the call that it comes in place of (1 is the next one), `calls_left_low` to `calls_left_high` an 80 %
    interval. `alarm` is lasting: see `AlarmRule`. `reasons` say the same in words.
    """

    probability: float
    calls_left: float
    calls_left_low: float
    calls_left_high: float
    context_tokens: int
    threshold_tokens: int
    threshold_low: int
    threshold_high: int
    threshold_source: str
    alarm: bool
    reasons: tuple[str, ...]


class RiskModel:
    """Turns observations into risks: a pure function of state and observation, well below a millisecond.

    `generator` draws the simulated paths once, when the model is made: the same seed gives the same risks.
    """

    def __init__(
        self,
        prior: Prior | None = None,
        book: ThresholdBook | None = None,
        alarm: AlarmRule | None = None,
        generator: np.random.Generator | None = None,
    ) -> None:
        growth = (prior or Prior.default()).growth
        self._book = book or ThresholdBook()
        self._alarm = alarm or AlarmRule()
        self._usual_pace = growth.pace
        self._passage = Passage(growth, generator or np.random.default_rng(0))

    @property
    def book(self) -> ThresholdBook:
        """The thresholds that it reckons with."""
        return self._book

    def with_book(self, book: ThresholdBook) -> "RiskModel":
        """Return the same model with another book, sharing everything else."""
        model = copy(self)
        model._book = book
        return model

    def step(self, state: SessionRisk, seen: Observation) -> tuple[SessionRisk, Risk]:
        """Take in one observation. Never raises, whatever the numbers."""
        after = state.after(seen)
        risk = self._assess(after)
        return replace(after, alarm=risk.alarm), risk

    def _assess(self, state: SessionRisk) -> Risk:
        threshold = self._book.estimate(state.key, state.evidence)
        pace = state.pace.against(self._usual_pace)
        room = threshold.spread_over(PATHS) - state.context_tokens
        calls_left = self._passage.calls_left(room, pace)
        probability = float(np.mean(calls_left <= HORIZON_CALLS))
        low, median, high = np.sort(calls_left)[_RANKS]
        return Risk(
            probability=probability,
            calls_left=float(median),
            calls_left_low=float(np.floor(low)),
            calls_left_high=float(np.ceil(high)),
            context_tokens=state.context_tokens,
            threshold_tokens=threshold.tokens,
            threshold_low=threshold.low,
            threshold_high=threshold.high,
            threshold_source=threshold.source,
            alarm=self._alarm.next(probability, raised=state.alarm),
            reasons=_reasons(state.context_tokens, threshold, pace * self._usual_pace),
        )


def _reasons(context: int, threshold: ThresholdEstimate, growth: float) -> tuple[str, ...]:
    room = threshold.tokens - context
    reasons = (
        f"{room:,} tokens are left to the threshold of {threshold.tokens:,}"
        if room > 0
        else f"the threshold of {threshold.tokens:,} tokens is reached",
        f"the context grows by about {round(growth):,} tokens a call",
        f"the threshold is {threshold.source}",
    )
    if threshold.low == threshold.high:
        return reasons
    return (*reasons, f"it may lie anywhere from {threshold.low:,} to {threshold.high:,}")
