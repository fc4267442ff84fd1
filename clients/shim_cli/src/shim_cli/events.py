"""`shim events`: what happened, and what happens."""

from collections.abc import Iterable
from typing import Annotated

import typer

from shim_cli.api import Api
from shim_cli.home import Home
from shim_cli.output import JsonOption, plain, print_json_lines, shown
from shim_common.contracts.envelope import Event


def add_to(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command("events")(events)


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show events as they happen.")] = False,
    types: Annotated[str | None, typer.Option(help="Only these, by commas: session.interrupted,...")] = None,
    session: Annotated[str | None, typer.Option(help="Only those of this session.")] = None,
    after: Annotated[str | None, typer.Option(help="Only those after this event.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show events: all that are kept, or those to come with -f."""
    with Api.of(Home.here()) as api:
        source = api.event_stream if follow else api.events
        found = source(after, types=types, session=session)
        print_json_lines(found) if as_json else _print(found)


def _print(found: Iterable[Event]) -> None:
    for event in found:
        details = " ".join(f"{name}={value}" for name, value in event.data.items())
        line = f"{shown(event.occurred_at)} {event.type} {event.session_id or event.subject} {details}"
        typer.echo(plain(line.rstrip()))
