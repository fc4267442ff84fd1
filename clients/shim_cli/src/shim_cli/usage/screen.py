"""The report on a terminal: a table, and a bar for each row's share."""

from collections.abc import Iterator

from rich.bar import Bar
from rich.console import Console
from rich.table import Table

from shim_cli.output import plain
from shim_cli.usage.amounts import Amount
from shim_cli.usage.report import Report, Row

BAR_WIDTH = 24
"""Columns of the longest bar."""

CENT = 0.01

COLUMNS = ("requests", "input", "output", "write 5m", "write 1h", "cache read", "cost", "of subagents")


def show(out: Console, report: Report) -> None:
    """Print the report, and under it what its figures leave open."""
    if not report.rows:
        out.print("No requests to a model were found.")
    else:
        out.print(_table(report))
    for note in notes(report):
        out.print(note)


def notes(report: Report) -> Iterator[str]:
    """Say what the figures leave open."""
    for model, requests in report.unpriced.items():
        yield f"Not in the cost, for want of a price: {requests} x {plain(model)}."
    if report.source.foreign:
        yield f"Files that are no transcripts: {report.source.foreign}."
    if report.source.damaged:
        yield f"Damaged lines, of which only what is whole is counted: {report.source.damaged}."


def dollars(amount: Amount) -> str:
    """Return the cost as people read it; a sum that lacks a part is a minimum."""
    if amount.cost is None:
        return "unknown"
    if amount.unpriced:
        return f"≥ ${amount.cost:,.2f}"
    return "< $0.01" if 0 < amount.cost < CENT else f"${amount.cost:,.2f}"


def _table(report: Report) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column(report.by.value, overflow="fold")
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("", width=BAR_WIDTH)
    longest = max(_weight(row) for row in report.rows)
    for row in report.rows:
        table.add_row(*_cells(row), Bar(longest, 0, _weight(row), width=BAR_WIDTH))
    if len(report.rows) > 1:
        table.add_row(*_cells(report.total), style="bold")
    return table


def _weight(row: Row) -> float:
    return row.usage.cost or 0.0


def _cells(row: Row) -> tuple[str, ...]:
    usage = row.usage
    counts = (
        usage.requests,
        usage.input,
        usage.output,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.cache_read,
    )
    agents = dollars(row.subagents) if row.subagents.requests else ""
    return plain(row.key), *(f"{count:,}" for count in counts), dollars(usage), agents
