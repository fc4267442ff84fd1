"""How much the outcome hangs on the levels of the alarm."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import median_low

import numpy as np

from shim_risk.alarm import AlarmRule
from shim_risk.evaluate.forecasts import Flags, Floats, Forecast, Forecasts
from shim_risk.evaluate.measures import false_runs, is_lasting

ENTER_LEVELS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Levels of `AlarmRule.enter` that are tried."""


def with_rule(forecasts: Forecasts, rule: AlarmRule) -> Forecasts:
    """Return the same forecasts with the alarms of another rule."""
    return [
        [replace(one, alarm=_alarms(one.probability, rule)) for one in session if one.probability is not None]
        for session in forecasts
    ]


def chosen_elsewhere(forecasts: Forecasts) -> Forecasts:
    """Give each session the rule that does best on all others: most lasting alarms less false ones.

    Of equally good levels the middle one is taken.
    """
    tried = [with_rule(forecasts, AlarmRule(enter=enter)) for enter in ENTER_LEVELS]
    gains = np.array([[_gain(session) for session in variant] for variant in tried])
    elsewhere = gains.sum(axis=1, keepdims=True) - gains
    return [tried[_middle_best(column)][index] for index, column in enumerate(elsewhere.T)]


def _alarms(probability: Floats, rule: AlarmRule) -> Flags:
    raised = False
    found = []
    for one in probability:
        raised = rule.next(float(one), raised=raised)
        found.append(raised)
    return np.array(found, dtype=np.bool_)


def _gain(session: Sequence[Forecast]) -> int:
    return sum(int(is_lasting(one)) - false_runs(one) for one in session)


def _middle_best(gains: Floats) -> int:
    return int(median_low(np.flatnonzero(gains == gains.max())))
