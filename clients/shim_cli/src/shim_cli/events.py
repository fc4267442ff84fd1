"""`shim events`: what happened, and what happens."""

from collections.abc import Iterable, Iterator
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
        if follow:
            found: Iterator[Event] = api.event_stream(after, types=types, session=session)
        else:
            found = (event for event in _history(api, after) if _is_wanted(event, types, session))
        print_json_lines(found) if as_json else _print(found)


def _history(api: Api, after: str | None) -> Iterator[Event]:
    while True:
        page = api.events(after)
        yield from page.items
        if not page.items or page.next_cursor is None:
            return
        after = page.items[-1].id


def _is_wanted(event: Event, types: str | None, session: str | None) -> bool:
    return (types is None or event.type in types.split(",")) and session in (None, event.session_id)


def _print(found: Iterable[Event]) -> None:
    for event in found:
        details = " ".join(f"{name}={value}" for name, value in event.data.items())
        line = f"{shown(event.occurred_at)} {event.type} {event.session_id or event.subject} {details}"
        typer.echo(plain(line.rstrip()))
