"""Measures the risk model on recorded sessions, beside two simple methods."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from shim_risk.alarm import AlarmRule
from shim_risk.evaluate.alarms import ENTER_LEVELS, chosen_elsewhere, with_rule
from shim_risk.evaluate.forecasts import Forecasts, fixed_threshold, linear_estimate, risk_model
from shim_risk.evaluate.lessons import NothingDeclared, earlier, lesson, prior_of, without_version
from shim_risk.evaluate.measures import Measure, measure
from shim_risk.evaluate.report import Report
from shim_risk.evaluate.sessions import Ending, Session, distinct, load
from shim_risk.prior import Prior

__all__ = ["Measure", "NothingToEvaluateError", "Report", "Session", "evaluate", "fit_prior", "load", "run"]


class NothingToEvaluateError(ValueError):
    """There are no sessions, or none of them has an automatic compaction."""


METHODS: dict[str, Callable[[Sequence[Session]], Forecasts]] = {
    "fixed threshold": fixed_threshold,
    "linear estimate": linear_estimate,
    "risk model": risk_model,
    "risk model, nothing declared": lambda sessions: risk_model(sessions, declared=NothingDeclared()),
    "risk model, version hidden": lambda sessions: risk_model(without_version(sessions)),
    "risk model, version hidden, in order of time": lambda sessions: risk_model(
        without_version(sessions), taught_by=earlier
    ),
    "risk model, version and model hidden": lambda sessions: risk_model(without_version(sessions, hide_model=True)),
    "risk model, first day": lambda sessions: risk_model(sessions, learning=False),
}
"""What is compared. With nothing declared, thresholds come from the other sessions alone; in order of time, only
earlier sessions teach; on the first day, none taught a threshold."""


def run(paths: Iterable[Path]) -> Report:
    """Evaluate on the transcripts that are named or lie below a named folder (.jsonl, .jsonl.gz).

    Raises OSError for an unreadable file and NothingToEvaluateError where the measures would be empty.
    """
    return evaluate(load(paths))


def fit_prior(sessions: Iterable[Session]) -> Prior:
    """Take the growth of these sessions; on the recorded ones this is `Prior.default()`."""
    return prior_of(lesson(session) for session in distinct(sessions))


def evaluate(sessions: Sequence[Session]) -> Report:
    """Evaluate on loaded sessions. Raises NothingToEvaluateError where the measures would be empty."""
    tested = distinct(sessions)
    endings = [segment.ending for session in tested for segment in session.segments]
    if Ending.AUTOMATIC not in endings:
        raise NothingToEvaluateError(
            f"{len(tested)} sessions without an automatic compaction: there is nothing to predict"
        )
    forecasts = {name: method(tested) for name, method in METHODS.items()}
    return Report(
        sessions=len(tested),
        copies=len(sessions) - len(tested),
        calls=sum(session.calls for session in tested),
        automatic=endings.count(Ending.AUTOMATIC),
        manual=endings.count(Ending.MANUAL),
        methods={name: measure(one) for name, one in forecasts.items()},
        alarms={name: measure(one) for name, one in _alarms(forecasts["risk model"]).items()},
    )


def _alarms(forecasts: Forecasts) -> dict[str, Forecasts]:
    tried = {f"alarm from {enter} on": with_rule(forecasts, AlarmRule(enter=enter)) for enter in ENTER_LEVELS}
    return {**tried, "alarm level chosen on the other sessions": chosen_elsewhere(forecasts)}
