"""The evaluation's result: a table to read and flat figures to keep."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan

from shim_risk.evaluate.measures import Measure

COLUMNS = {
    "precision": ("precision", 2),
    "recall": ("recall", 2),
    "f1": ("F1", 2),
    "lasting_alarm": ("lasting alarm", 2),
    "false_alarm_runs_per_100_calls": ("false runs/100", 3),
    "interval_coverage": ("80 % covers", 2),
    "median_error_when_saying_8_to_12": ("error at 8-12", 1),
    "median_lead_of_alarms": ("lead", 0),
}
"""Measure -> its heading and decimals."""

ALARM_COLUMNS = {name: COLUMNS[name] for name in ("lasting_alarm", "false_alarm_runs_per_100_calls")}
"""What the levels of the alarm change."""

NOTES = """\
Leave one session out; values with 95 % intervals, bootstrap over sessions. "Soon" is an automatic compaction within
10 API calls; calls within 10 of another ending are censored. Lasting alarm: share of automatic compactions with an
alarm raised 3 to 20 calls ahead that stood until then. False run: lowered without one, or standing over 20 calls
when something else ended the session. Coverage and error: calls before an automatic compaction."""


@dataclass(frozen=True, slots=True)
class Report:
    """Measures by method, and what they were taken on."""

    sessions: int
    copies: int
    calls: int
    automatic: int
    manual: int
    methods: Mapping[str, Mapping[str, Measure]]
    alarms: Mapping[str, Mapping[str, Measure]]

    @property
    def figures(self) -> dict[str, float | None]:
        """All values and ends of intervals under one name each; None where there was nothing to measure."""
        found: dict[str, float | None] = {
            "sessions": self.sessions,
            "calls": self.calls,
            "compactions.automatic": self.automatic,
            "compactions.manual": self.manual,
        }
        for method, measures in self.methods.items():
            for name in COLUMNS:
                found |= _flat(f"{method}.{name}", measures[name])
        for rule, measures in self.alarms.items():
            for name in ALARM_COLUMNS:
                found |= _flat(f"{rule}.{name}", measures[name])
        return found

    def render(self) -> str:
        """Return the table as text."""
        head = (
            f"{self.sessions} sessions ({self.copies} copies left out), {self.calls:,} calls, "
            f"{self.automatic} automatic and {self.manual} manual compactions"
        )
        parts = [head, _table(self.methods, COLUMNS), _table(self.alarms, ALARM_COLUMNS), NOTES]
        return "\n\n".join(parts)


def _table(lines: Mapping[str, Mapping[str, Measure]], columns: Mapping[str, tuple[str, int]]) -> str:
    rows = [["", *(heading for heading, _ in columns.values())]]
    rows += [
        [name, *(_cell(measures[column], places) for column, (_, places) in columns.items())]
        for name, measures in lines.items()
    ]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded)


def _flat(name: str, measure: Measure) -> dict[str, float | None]:
    stem = name.replace(" ", "_").replace(",", "")
    return {
        stem: _rounded(measure.value),
        f"{stem}.low": _rounded(measure.low),
        f"{stem}.high": _rounded(measure.high),
    }


def _cell(measure: Measure, places: int) -> str:
    if isnan(measure.value):
        return "-"
    return f"{measure.value:.{places}f} [{measure.low:.{places}f}, {measure.high:.{places}f}]"


def _rounded(value: float) -> float | None:
    return None if isnan(value) else round(value, 4)
