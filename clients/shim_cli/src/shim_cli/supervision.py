"""`shim ps`, `incidents`, `restart` and `watch`: which clients run, which ended unmeant, and bringing those back."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from shim_agent.supervision.survivors import still_running
from shim_cli.api import Api
from shim_cli.errors import ApiProblem, Refused
from shim_cli.home import Home
from shim_cli.output import JsonOption, console, plain, print_json, print_table, shown
from shim_common.contracts.supervision import (
    AttemptOutcome,
    Incident,
    IncidentState,
    RestartRequest,
    ToolsPolicy,
    Watch,
    WatchState,
)
from shim_common.kernel.errors import NotFound, ShimError

OUTCOME_SECONDS = 40.0
"""How long `shim restart` waits to be told what came of it: the agent gives a client 30 s to come."""

LOOK_SECONDS = 0.5
REFRESH_SECONDS = 1.0
MOST = 1000

_STANDING = (IncidentState.OPEN, IncidentState.OFFERED, IncidentState.ESCALATED, IncidentState.SUPPRESSED)
_KEYS = "123456789"
LimitOption = Annotated[int, typer.Option(min=1, max=MOST, help="At most so many, newest first.")]

_PS_COLUMNS = ("session", "client", "pid", "state", "owner", "policy", "memory", "transcript", "last seen", "project")
_INCIDENT_COLUMNS = ("incident", "session", "state", "at", "end", "what is done", "tries", "project")


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command("ps")(list_watches)
    app.command("incidents")(list_incidents)
    app.command("restart")(restart)
    app.command("watch")(watch)


def list_watches(
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also those that have ended.")] = False,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List the clients that are watched."""
    with Api.of(Home.here()) as api:
        found = list(api.watches(limit)) if everything else _living(api, limit)
    if as_json:
        print_json(found)
        return
    print_table(_PS_COLUMNS, map(_watch_row, found), empty="No client runs.")


def list_incidents(
    everything: Annotated[bool, typer.Option("--all", "-a", help="Also those that are over.")] = False,
    session: Annotated[str | None, typer.Option(help="Only those of this session.")] = None,
    limit: LimitOption = 200,
    as_json: JsonOption = False,
) -> None:
    """List ends of clients that nobody meant, and what is done about them."""
    with Api.of(Home.here()) as api:
        found = list(api.incidents(limit, session=session)) if everything else _standing(api, session, limit)
    if as_json:
        print_json(found)
        return
    print_table(
        _INCIDENT_COLUMNS, map(_incident_row, found), empty="No incidents; everything ended as it was meant to."
    )
    if any(one.state is IncidentState.OFFERED for one in found):
        typer.echo("Bring one back: shim restart INCIDENT", err=True)


def restart(
    which: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="An incident or a session [default: the only one].")
    ] = None,
    launcher: Annotated[str | None, typer.Option(help="A launcher of launchers.toml.")] = None,
    tools: Annotated[ToolsPolicy | None, typer.Option(help="What becomes of tools that still run.")] = None,
    dismiss: Annotated[bool, typer.Option("--dismiss", help="Leave it; it is not offered again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Bring a session back whose client ended unmeant."""
    with Api.of(Home.here()) as api:
        incident = _find(api, which)
        if dismiss:
            done = api.dismiss(incident.id)
            print_json(done) if as_json else typer.echo(f"{incident.id} is dismissed.")
            return
        asked = RestartRequest(launcher=launcher, tools=tools or _asked_about_tools(incident))
        tries = len(api.request_restart(incident.id, asked).attempts)
        incident = _outcome(api, incident.id, tries)
    if as_json:
        print_json(incident)
    elif incident.state is IncidentState.RESUMED:
        typer.echo(f"Session {incident.session} runs again{_where(incident)}.")
    if incident.state is not IncidentState.RESUMED:
        raise NotFound(_why_not(incident))


def watch(
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
) -> None:
    """Show clients and incidents as they come and go. A digit brings that one back; q ends."""
    home = Home.here()
    with Api.of(home) as api:
        if once or not (sys.stdin.isatty() and sys.stdout.isatty()):
            console().print(_picture(_living(api, MOST), _standing(api, None, MOST), ""))
            return
        with _keys() as pressed, Live(console=console(), screen=True, auto_refresh=False) as live:
            _watch(api, live, pressed)


def _watch(api: Api, live: Live, pressed: Callable[[float], str]) -> None:
    said = ""
    while True:
        try:
            clients, incidents = _living(api, MOST), _standing(api, None, MOST)
        except ShimError as error:
            clients, incidents, said = [], [], str(error)
        live.update(_picture(clients, incidents, said), refresh=True)
        key = pressed(REFRESH_SECONDS)
        if key in ("q", "\x03", "\x04"):
            return
        if key in _KEYS[: len(incidents)] and key:
            said = _ask_for(api, incidents[int(key) - 1])


def _ask_for(api: Api, incident: Incident) -> str:
    try:
        api.request_restart(incident.id, RestartRequest())
    except ApiProblem as error:
        return str(error)
    return f"session {incident.session} is asked for"


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Read single keys for the length of a block: the function waits so many seconds for one."""
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)

    def pressed(seconds: float) -> str:
        ready, _, _ = select.select([descriptor], [], [], seconds)
        return os.read(descriptor, 1).decode(errors="replace") or "q" if ready else ""

    tty.setcbreak(descriptor)
    try:
        yield pressed
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _picture(clients: Sequence[Watch], incidents: Sequence[Incident], said: str) -> Group:
    keys = [*_KEYS[: len(incidents)], *[""] * max(0, len(incidents) - len(_KEYS))]
    return Group(
        _table("clients", _PS_COLUMNS, map(_watch_row, clients)),
        _table(
            "incidents",
            ("key", *_INCIDENT_COLUMNS),
            ((k, *_incident_row(i)) for k, i in zip(keys, incidents, strict=True)),
        ),
        Text(plain(said)),
    )


def _table(title: str, columns: Sequence[str], rows: Any) -> Table:  # noqa: ANN401 - rows of whatever is shown
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(plain(shown(cell)) for cell in row))
    return table


def _living(api: Api, limit: int) -> list[Watch]:
    """Return the watches that have not ended; of the silent ones nobody knows."""
    running = list(api.watches(limit, WatchState.RUNNING))
    return [*running, *api.watches(limit - len(running), WatchState.UNKNOWN)]


def _standing(api: Api, session: str | None, limit: int) -> list[Incident]:
    """Return the incidents that are not over, newest first."""
    found = [one for state in _STANDING for one in api.incidents(limit, state, session)]
    return sorted(found, key=lambda one: one.opened_at, reverse=True)[:limit]


def _find(api: Api, which: str | None) -> Incident:
    """Return the incident that is meant.

    Raises:
        NotFound: there is none.
        Refused: there are several.
    """
    if which is not None and which.startswith("inc_"):
        return api.incident(which)
    standing = _standing(api, which, MOST)
    if not standing:
        raise NotFound(
            f"nothing of session {which} is to be brought back" if which else "nothing is to be brought back"
        )
    if which is None and len(standing) > 1:
        raise Refused(f"{len(standing)} sessions could be brought back; name one that `shim incidents` lists")
    return standing[0]


def _asked_about_tools(incident: Incident) -> ToolsPolicy | None:
    """Ask what becomes of tools that still run, if there are any and somebody can answer."""
    left = still_running(incident.end.tool_processes, datetime.now(UTC))
    if not left or not sys.stdin.isatty():
        return None
    commands = {tool.pid: tool.command for tool in incident.end.tool_processes}
    for process in left:
        typer.echo(plain(f"still running: {process.pid} {commands[process.pid]}"))
    ends = typer.confirm("End them before the session goes on?", default=False)
    return ToolsPolicy.END if ends else ToolsPolicy.KEEP


def _outcome(api: Api, incident_id: str, tries: int) -> Incident:
    """Return the incident once it says what came of the request, or the time is over."""
    end = time.monotonic() + OUTCOME_SECONDS
    while True:
        incident = api.incident(incident_id)
        if incident.state is IncidentState.RESUMED or len(incident.attempts) > tries or time.monotonic() > end:
            return incident
        time.sleep(LOOK_SECONDS)


def _where(incident: Incident) -> str:
    last = incident.attempts[-1] if incident.attempts else None
    if last is None or last.pid is None:
        return ""
    return f" as process {last.pid}" + (f", by {last.launcher}" if last.launcher else "")


def _why_not(incident: Incident) -> str:
    failed = [one for one in incident.attempts if one.outcome is AttemptOutcome.FAILED]
    by_hand = f"by hand: shim resume {incident.session} --run"
    if failed:
        return f"session {incident.session} is not back: {failed[-1].why}; {by_hand}"
    return f"nobody has brought session {incident.session} back yet; is the agent running? See `shim status`; {by_hand}"


def _watch_row(one: Watch) -> tuple[Any, ...]:
    return (
        one.session,
        one.client,
        one.process.pid,
        one.state.value,
        one.managed_by.value,
        one.policy,
        _size(one.rss_bytes),
        _size(one.transcript_bytes),
        one.last_seen_at,
        one.project,
    )


def _incident_row(one: Incident) -> tuple[Any, ...]:
    how = one.end.kind.value
    if one.end.signal is not None:
        how += f", signal {one.end.signal}"
    elif one.end.exit_code is not None:
        how += f", exit code {one.end.exit_code}"
    done = f"{one.decision.step.value}: {one.decision.why}"
    return (one.id, one.session, one.state.value, one.opened_at, how, done, len(one.attempts), one.project)


def _size(count: int | None) -> str:
    """Return a size as people read it; one that is not known is left out."""
    if count is None:
        return ""
    return f"{count / 2**20:.0f} MiB" if count >= 2**20 else f"{count / 2**10:.0f} KiB"
