"""The command `shim usage`."""

import os
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from shim_cli.errors import Refused
from shim_cli.home import Home
from shim_cli.output import JsonOption, complain, console, print_json
from shim_cli.usage import plot as picture
from shim_cli.usage.reading import read
from shim_cli.usage.report import By, Period, report
from shim_cli.usage.screen import show
from shim_cli.usage.sources import config_dirs, transcripts
from shim_prices import Catalogue

DAY = ["%Y-%m-%d"]

Paths = Annotated[
    list[Path] | None,
    typer.Argument(exists=True, help="Transcripts, or folders of them [default: those of connected clients]."),
]


def command(
    paths: Paths = None,
    by: Annotated[By, typer.Option(help="What a row stands for.")] = By.DAY,
    since: Annotated[datetime | None, typer.Option(formats=DAY, help="First day, in local time.")] = None,
    until: Annotated[datetime | None, typer.Option(formats=DAY, help="Last day, included.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw it into this file too, .png or .svg.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show tokens of every kind and their cost, read from transcripts; SHIM need not run.

    Costs are what the API would charge by its list prices, also where a subscription pays.
    """
    home = Home.here()
    period = Period(_day(since), _day(until))
    if period.since and period.until and period.since > period.until:
        raise Refused("--since is later than --until")
    if plot is not None:
        picture.check(plot)
    findings = read(transcripts(paths or config_dirs(home, os.environ)))
    made = report(findings, by, period, Catalogue.shipped())
    print_json(made) if as_json else show(console(), made)
    for file in made.source.unreadable:
        complain(f"passed over {file}")
    if plot is not None:
        picture.write(made, plot, home)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()
