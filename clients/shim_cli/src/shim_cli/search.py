"""`shim search`: what was said and done in all sessions."""

from datetime import datetime
from typing import Annotated

import typer
from rich.text import Text

from shim_cli.api import Api
from shim_cli.home import Home
from shim_cli.output import JsonOption, console, plain, print_json, shown
from shim_cli.sessions import ProjectOption, absolute
from shim_common.contracts.search import SearchHit

_FOUND = "bold red"
Day = Annotated[datetime | None, typer.Option(help="A day, or a time on it, of this machine's clock.")]


def add_to(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command("search")(search)


def search(
    words: Annotated[
        list[str],
        typer.Argument(help="All must be there and may go on. '\"a phrase\"' stands together; put -- before -without."),
    ],
    project: ProjectOption = None,
    since: Day = None,
    until: Day = None,
    model: Annotated[str | None, typer.Option(help="Part of a model's name.")] = None,
    tool: Annotated[str | None, typer.Option(help="Only where this tool is called, or failed.")] = None,
    failed: Annotated[bool | None, typer.Option("--failed/--not-failed", help="Only failures, or none.")] = None,
    client: Annotated[str | None, typer.Option(help="Only of this assistant, such as claude-code.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, best first.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """Search prompts, replies, commands, file names and errors of all sessions. Ends with 1 if nothing is found."""
    filters = {
        "project": absolute(project),
        "since": _instant(since),
        "until": _instant(until),
        "model": model,
        "tool": tool,
        "failed": None if failed is None else str(failed).lower(),
        "client": client,
    }
    with Api.of(Home.here()) as api:
        found = list(api.search(" ".join(words), limit, **filters))
    if as_json:
        print_json(found)
    else:
        for hit in found:
            _show(hit)
    if not found:
        if not as_json:
            typer.echo("Nothing was found. Fewer words find more; so does leaving filters out.")
        raise typer.Exit(1)


def _show(hit: SearchHit) -> None:
    """Print where a hit is, and its line with the finds in colour."""
    what = " ".join((hit.kind.value, *hit.tools, *(["failed"] if hit.failed else [])))
    screen = console()
    place = f"{shown(hit.at)}  {hit.client_session_id} #{hit.position}  {what}  {hit.project}"
    screen.print(Text(plain(place), style="dim"), soft_wrap=True)
    line, end_before = Text("  "), 0
    for start, end in hit.marks:
        line.append(plain(hit.snippet[end_before:start])).append(plain(hit.snippet[start:end]), style=_FOUND)
        end_before = end
    screen.print(line.append(plain(hit.snippet[end_before:])), soft_wrap=True)


def _instant(given: datetime | None) -> str | None:
    return None if given is None else given.astimezone().isoformat()
