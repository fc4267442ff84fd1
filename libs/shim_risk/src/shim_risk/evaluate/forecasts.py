"""What each method says after every call of a session that it was not fitted on."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shim_risk.book import ThresholdBook
from shim_risk.declared import DeclaredThresholds
from shim_risk.evaluate.lessons import Lesson, book_of, lesson, others, prior_of
from shim_risk.evaluate.sessions import Ending, Segment, Session
from shim_risk.model import HORIZON_CALLS, RiskModel
from shim_risk.session import SessionRisk

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CERTAIN = 0.5
"""A compaction within 10 calls is predicted from this probability on."""

LINEAR_CALLS = 20
"""Calls that the linear estimate looks back on."""

FIXED_STEP = 1_000
"""Steps in which the fixed threshold is searched for, in tokens."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a method says after each call of a segment. Methods without intervals leave them None."""

    segment: Segment
    soon: Flags
    alarm: Flags
    calls_left: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None
    probability: Floats | None = None


Forecasts = list[list[Forecast]]
"""By session, by segment."""


def risk_model(
    sessions: Sequence[Session],
    *,
    taught_by: Callable[[Sequence[Lesson], int], list[Lesson]] = others,
    declared: DeclaredThresholds | None = None,
    learning: bool = True,
) -> Forecasts:
    """Forecast every session with a model that other sessions taught; no thresholds if not `learning`."""
    lessons = [lesson(session) for session in sessions]
    found: Forecasts = []
    for index, session in enumerate(sessions):
        rest = taught_by(lessons, index)
        book = book_of(rest if learning else (), declared)
        found.append(_follow(RiskModel(prior_of(rest), book), session))
    return found


def linear_estimate(sessions: Sequence[Session]) -> Forecasts:
    """Divide the room to the learnt threshold by the slope of the last calls."""
    lessons = [lesson(session) for session in sessions]
    return [_extrapolate(book_of(others(lessons, index)), session) for index, session in enumerate(sessions)]


def fixed_threshold(sessions: Sequence[Session]) -> Forecasts:
    """Compare the context with one number for all clients, the best one on the other sessions."""
    largest = max((_contexts(segment).max() for _, segment in _all(sessions)), default=0)
    steps = np.arange(0, largest + FIXED_STEP, FIXED_STEP)
    counts = np.array([sum(_counts_above(segment, steps) for segment in one.segments) for one in sessions])
    total = counts.sum(axis=0)
    found: Forecasts = []
    for session, own in zip(sessions, counts, strict=True):
        rest = total - own
        best = steps[np.argmax(2 * rest[0] / np.maximum(rest[1] + rest[2], 1))]
        flags = [_contexts(segment) >= best for segment in session.segments]
        found.append([Forecast(one, soon, soon) for one, soon in zip(session.segments, flags, strict=True)])
    return found


def outcomes(segment: Segment) -> tuple[Flags, Flags]:
    """Return for each call whether an automatic compaction came within 10 calls, and whether that is known."""
    near = calls_left(segment) <= HORIZON_CALLS
    automatic = segment.ending is Ending.AUTOMATIC
    return near & automatic, np.full_like(near, fill_value=True) if automatic else ~near


def calls_left(segment: Segment) -> NDArray[np.int64]:
    """Return how many calls were left after each call; 1 is the one that the ending took the place of."""
    return np.arange(len(segment.calls), 0, -1, dtype=np.int64)


def _follow(model: RiskModel, session: Session) -> list[Forecast]:
    state = SessionRisk()
    found = []
    for segment in session.segments:
        risks = []
        for call in segment.calls:
            state, risk = model.step(state, call)
            risks.append(risk)
        if segment.compaction is not None:
            state, _ = model.step(state, segment.compaction)
        probability = np.array([risk.probability for risk in risks])
        found.append(
            Forecast(
                segment=segment,
                soon=probability >= CERTAIN,
                alarm=np.array([risk.alarm for risk in risks]),
                calls_left=np.array([risk.calls_left for risk in risks]),
                low=np.array([risk.calls_left_low for risk in risks]),
                high=np.array([risk.calls_left_high for risk in risks]),
                probability=probability,
            )
        )
    return found


def _extrapolate(book: ThresholdBook, session: Session) -> list[Forecast]:
    state = SessionRisk()
    found = []
    for segment in session.segments:
        levels: list[int] = []
        left = []
        for call in segment.calls:
            state = state.after(call)
            levels = [*levels, state.context_tokens][-LINEAR_CALLS:]
            room = book.estimate(state.key, state.evidence).tokens - state.context_tokens
            left.append(_linear_calls(levels, room))
        if segment.compaction is not None:
            state = state.after(segment.compaction)
        soon = np.array(left) <= HORIZON_CALLS
        found.append(Forecast(segment, soon, soon, calls_left=np.array(left)))
    return found


def _linear_calls(levels: Sequence[int], room: int) -> float:
    if room <= 0:
        return 1.0
    slope = np.polyfit(np.arange(len(levels)), levels, 1)[0] if len(levels) > 1 else 0.0
    return float(1 + room / max(slope, 1.0))


def _counts_above(segment: Segment, steps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return true positives, predictions and positives for each step, censored calls left out."""
    true, known = outcomes(segment)
    above = (_contexts(segment)[:, None] >= steps) & known[:, None]
    positives = np.full(len(steps), (true & known).sum())
    return np.stack([(above & true[:, None]).sum(axis=0), above.sum(axis=0), positives])


def _contexts(segment: Segment) -> NDArray[np.int64]:
    return np.array([call.context_tokens for call in segment.calls], dtype=np.int64)


def _all(sessions: Iterable[Session]) -> Iterator[tuple[Session, Segment]]:
    return ((session, segment) for session in sessions for segment in session.segments)
