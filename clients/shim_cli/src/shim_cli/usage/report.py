"""Requests summed up by day, project, session or model."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from shim_cli.usage.amounts import Amount, Sum
from shim_cli.usage.calls import Call
from shim_cli.usage.reading import Findings
from shim_prices import Catalogue, PriceError

NO_FOLDER = "(unknown)"
"""Project of sessions whose lines name no working directory."""


class By(StrEnum):
    """What a row of the report stands for."""

    DAY = "day"
    PROJECT = "project"
    SESSION = "session"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Period:
    """Days, both included, of a zone; no zone is the machine's."""

    since: date | None = None
    until: date | None = None
    zone: tzinfo | None = None

    def day(self, at: datetime) -> date:
        """Return the day of a moment."""
        return at.astimezone(self.zone).date()

    def holds(self, day: date) -> bool:
        """Tell whether a day is one of them."""
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)


class Row(BaseModel):
    """One day, project, session or model; `subagents` is the part of `usage` that subagents had."""

    model_config = ConfigDict(frozen=True)

    key: str
    usage: Amount
    subagents: Amount


class Source(BaseModel):
    """What was read, of whatever days. `repeats`, `synthetic` and `damaged` count lines, `foreign` other files."""

    model_config = ConfigDict(frozen=True)

    files: int
    foreign: int
    bytes: int
    repeats: int
    synthetic: int
    damaged: int
    unreadable: list[str]


class Report(BaseModel):
    """Usage, the sum of all, and what it rests on; `unpriced` counts requests without a known price, by model."""

    model_config = ConfigDict(frozen=True)

    by: By
    since: date | None
    until: date | None
    rows: list[Row]
    total: Row
    unpriced: dict[str, int]
    source: Source


@dataclass(slots=True)
class _Sums:
    """The sums of a row."""

    usage: Sum = field(default_factory=Sum)
    subagents: Sum = field(default_factory=Sum)

    def add(self, call: Call, cost: Decimal | None) -> None:
        self.usage.add(call.usage, cost)
        if call.agent is not None:
            self.subagents.add(call.usage, cost)

    def row(self, key: str) -> Row:
        return Row(key=key, usage=self.usage.amount(), subagents=self.subagents.amount())


def report(findings: Findings, by: By, period: Period, catalogue: Catalogue) -> Report:
    """Sum up the requests of a period: days in their order, all else from the dearest down."""
    total, sums, unpriced = _Sums(), dict[str, _Sums](), Counter[str]()
    for call in findings.ledger.calls():
        day = period.day(call.at)
        if not period.holds(day):
            continue
        cost = _cost(call, catalogue)
        if cost is None:
            unpriced[call.model] += 1
        total.add(call, cost)
        sums.setdefault(_key(call, by, day, findings), _Sums()).add(call, cost)
    return Report(
        by=by,
        since=period.since,
        until=period.until,
        rows=_ordered([one.row(key) for key, one in sums.items()], by),
        total=total.row("total"),
        unpriced=dict(unpriced.most_common()),
        source=_source(findings),
    )


def _cost(call: Call, catalogue: Catalogue) -> Decimal | None:
    try:
        return catalogue.cost(call.model, call.usage, call.at)
    except PriceError:
        return None


def _key(call: Call, by: By, day: date, findings: Findings) -> str:
    match by:
        case By.DAY:
            return day.isoformat()
        case By.PROJECT:
            return findings.projects.get(call.session, NO_FOLDER)
        case By.SESSION:
            return call.session
        case By.MODEL:
            return call.model


def _ordered(rows: list[Row], by: By) -> list[Row]:
    if by is By.DAY:
        return sorted(rows, key=lambda row: row.key)
    return sorted(rows, key=lambda row: (-(row.usage.cost or 0), -row.usage.tokens, row.key))


def _source(findings: Findings) -> Source:
    return Source(
        files=findings.files,
        foreign=findings.foreign,
        bytes=findings.bytes,
        repeats=findings.ledger.repeats,
        synthetic=findings.synthetic,
        damaged=findings.damaged,
        unreadable=findings.unreadable,
    )
