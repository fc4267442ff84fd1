"""How good forecasts are, with intervals by bootstrap over sessions."""

from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from shim_risk.evaluate.forecasts import Flags, Forecast, Forecasts, calls_left, outcomes
from shim_risk.evaluate.sessions import Ending

EARLIEST = 20
"""A lasting alarm is raised at most this many calls ahead; one that stands longer without a compaction is false."""

LATEST = 3
"""A lasting alarm is raised at least this many calls ahead: later there is no time to act."""

SAYS = (8, 12)
"""The error of `calls_left` is taken where it says something between these."""

RESAMPLES = 1_000
"""Bootstrap samples."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tally:
    """What is counted of a session's forecasts."""

    hits: int
    predicted: int
    positives: int
    compactions: int
    lasting: int
    false_runs: int
    calls: int
    intervals: int
    covered: int


@dataclass(frozen=True, slots=True)
class Measure:
    """A value and its 95 % interval; NaN where there is nothing to measure."""

    value: float
    low: float
    high: float


def measure(forecasts: Forecasts) -> dict[str, Measure]:
    """Measure a method, by name of the measure."""
    counts = np.array([np.sum([astuple(_tally(one)) for one in session], axis=0) for session in forecasts])
    samples = _samples(len(forecasts))
    totals = (samples @ counts).T
    columns = {one.name: totals[index].astype(np.float64) for index, one in enumerate(fields(Tally))}
    found = {name: _measured(formula(columns)) for name, formula in _RATIOS.items()}
    for name, values_of in _MEDIANS.items():
        values = [np.concatenate([values_of(one) for one in session]) for session in forecasts]
        found[name] = _measured(_medians(values, samples))
    return found


def alarm_runs(alarm: Flags) -> list[tuple[int, int]]:
    """Return the calls from and before which an alarm stood."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], alarm, [False])).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


def lasting_lead(forecast: Forecast) -> int | None:
    """Return how many calls ahead the alarm was raised that stood until the automatic compaction, if one did."""
    if forecast.segment.ending is not Ending.AUTOMATIC or not forecast.alarm[-1]:
        return None
    return len(forecast.alarm) - alarm_runs(forecast.alarm)[-1][0]


def is_lasting(forecast: Forecast) -> bool:
    """Tell whether an alarm was raised in time before an automatic compaction and stood until then."""
    lead = lasting_lead(forecast)
    return lead is not None and LATEST <= lead <= EARLIEST


def false_runs(forecast: Forecast) -> int:
    """Count the alarms that were lowered again, or stood too long when something else ended the segment."""
    length = len(forecast.alarm)
    automatic = forecast.segment.ending is Ending.AUTOMATIC
    return sum(end < length or (not automatic and end - start > EARLIEST) for start, end in alarm_runs(forecast.alarm))


def _tally(forecast: Forecast) -> Tally:
    true, known = outcomes(forecast.segment)
    automatic = forecast.segment.ending is Ending.AUTOMATIC
    covered = _covered(forecast)
    return Tally(
        hits=int((forecast.soon & true & known).sum()),
        predicted=int((forecast.soon & known).sum()),
        positives=int((true & known).sum()),
        compactions=int(automatic),
        lasting=int(is_lasting(forecast)),
        false_runs=false_runs(forecast),
        calls=len(forecast.segment.calls),
        intervals=len(covered),
        covered=int(covered.sum()),
    )


def _covered(forecast: Forecast) -> Flags:
    if forecast.low is None or forecast.high is None or forecast.segment.ending is not Ending.AUTOMATIC:
        return np.zeros(0, dtype=np.bool_)
    left = calls_left(forecast.segment)
    return (forecast.low <= left) & (left <= forecast.high)


def _errors(forecast: Forecast) -> Floats:
    if forecast.calls_left is None or forecast.segment.ending is not Ending.AUTOMATIC:
        return np.zeros(0)
    says = (forecast.calls_left >= SAYS[0]) & (forecast.calls_left <= SAYS[1])
    return np.abs(calls_left(forecast.segment) - forecast.calls_left)[says]


def _leads(forecast: Forecast) -> Floats:
    lead = lasting_lead(forecast)
    return np.array([] if lead is None else [lead], dtype=np.float64)


def _samples(sessions: int) -> NDArray[np.int64]:
    """Return how often each session counts: once each in the first row, as drawn in the others."""
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(sessions, np.full(sessions, 1 / sessions), size=RESAMPLES)
    return np.concatenate([np.ones((1, sessions), dtype=np.int64), drawn])


def _medians(values: Sequence[Floats], samples: NDArray[np.int64]) -> Floats:
    """Return the median over the values of all sessions, each as often as its session counts in a sample."""
    pooled = np.concatenate(values)
    order = np.argsort(pooled)
    owners = np.repeat(np.arange(len(values)), [len(one) for one in values])[order]
    counted = samples[:, owners].cumsum(axis=1)
    total = samples @ np.array([len(one) for one in values])
    ranked = np.append(pooled[order], np.nan)
    lower, upper = ((counted < middle[:, None]).sum(axis=1) for middle in ((total + 1) // 2, (total + 2) // 2))
    return np.where(total > 0, (ranked[lower] + ranked[upper]) / 2, np.nan)


def _measured(values: Floats) -> Measure:
    """Take the first value as it is and the others as its bootstrap."""
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.quantile(drawn, (0.025, 0.975)) if drawn.size else (np.nan, np.nan)
    return Measure(float(values[0]), float(low), float(high))


def _ratio(numerator: Floats, denominator: Floats) -> Floats:
    return np.divide(numerator, denominator, out=np.full_like(numerator, np.nan), where=denominator > 0)


_RATIOS: dict[str, Callable[[dict[str, Floats]], Floats]] = {
    "precision": lambda count: _ratio(count["hits"], count["predicted"]),
    "recall": lambda count: _ratio(count["hits"], count["positives"]),
    "f1": lambda count: _ratio(2 * count["hits"], count["predicted"] + count["positives"]),
    "lasting_alarm": lambda count: _ratio(count["lasting"], count["compactions"]),
    "false_alarm_runs_per_100_calls": lambda count: _ratio(100 * count["false_runs"], count["calls"]),
    "interval_coverage": lambda count: _ratio(count["covered"], count["intervals"]),
}

_MEDIANS: dict[str, Callable[[Forecast], Floats]] = {
    "median_error_when_saying_8_to_12": _errors,
    "median_lead_of_alarms": _leads,
}
