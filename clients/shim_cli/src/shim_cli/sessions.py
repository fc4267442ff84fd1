"""`shim sessions`, `session`, `checkpoints`, `checkpoint` and `recovery`: what SHIM holds."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from shim_cli.api import Api
from shim_cli.home import Home
from shim_cli.output import JsonOption, console, print_facts, print_json, print_table
from shim_cli.replay.screen import pending_line, show_recovery
from shim_common.contracts.sessions import (
    CheckpointState,
    NewCheckpoint,
    Recovery,
    RiskReport,
    Session,
    SessionState,
    SignalReport,
)

Sid = Annotated[str, typer.Argument(help="SHIM's id of the session, or the client's.")]
ProjectOption = Annotated[Path | None, typer.Option(help="A project's folder.", file_okay=False)]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")]


def add_to(app: typer.Typer) -> None:
    """Add these commands to the application."""
    app.command("sessions")(list_sessions)
    app.command("session")(show_session)
    app.command("checkpoints")(list_checkpoints)
    app.command("checkpoint")(make_checkpoint)
    app.command("recovery")(show_recovered)


def list_sessions(
    project: ProjectOption = None,
    state: Annotated[SessionState | None, typer.Option(help="Only those in this state.")] = None,
    limit: LimitOption = 20,
    as_json: JsonOption = False,
) -> None:
    """List sessions, newest first."""
    with Api.of(Home.here()) as api:
        found = list(api.sessions(limit, project=absolute(project), state=state.value if state else None))
    if as_json:
        print_json(found)
        return
    rows = (
        (one.client_session_id, state_of(one), one.last_seen_at, one.position, one.checkpoints, one.project)
        for one in found
    )
    columns = ("session", "state", "last seen", "entries", "checkpoints", "project")
    print_table(columns, rows, empty="No sessions yet. Connect an assistant: shim connect claude-code")


def show_session(sid: Sid, as_json: JsonOption = False) -> None:
    """Show a session: state, signals, risk, edited files and calls in flight."""
    with Api.of(Home.here()) as api:
        session = api.session(sid)
        signals = api.signals(sid)
        checkpoints = api.checkpoints(sid, limit=1)
        state = api.checkpoint(checkpoints[0].id) if checkpoints else None
        recovery = api.recovery(session=sid)
    if as_json:
        print_json({"session": session, "signals": signals, "last_checkpoint": state, "recovery": recovery})
        return
    print_facts([*_session_facts(session), *_signal_facts(signals), *_work_facts(state, recovery)])


def list_checkpoints(sid: Sid, limit: LimitOption = 50, as_json: JsonOption = False) -> None:
    """List a session's checkpoints, newest first."""
    with Api.of(Home.here()) as api:
        found = api.checkpoints(sid, limit)
    if as_json:
        print_json(found)
        return
    rows = ((one.number, one.id, one.trigger.value, one.at, one.position, one.snapshot_id, one.note) for one in found)
    columns = ("number", "checkpoint", "trigger", "at", "entries", "files", "note")
    print_table(columns, rows, empty="No checkpoints yet.")


def make_checkpoint(
    sid: Sid,
    note: Annotated[str | None, typer.Option(help="Why, for yourself.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a checkpoint of a session now."""
    with Api.of(Home.here()) as api:
        made = api.make_checkpoint(sid, NewCheckpoint(note=note))
    if as_json:
        print_json(made)
    else:
        typer.echo(f"Checkpoint {made.number} made: {made.id}, {made.position} entries.")


def show_recovered(
    project: ProjectOption = Path(),
    session: Annotated[str | None, typer.Option(help="A session, instead of what is found in a project.")] = None,
    whole: Annotated[bool, typer.Option("--bundle", help="Print the whole bundle and nothing else.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what was interrupted in a project, and with what it can go on. Ends with 1 if nothing was."""
    with Api.of(Home.here()) as api:
        recovery = api.recovery(session=session) if session else api.recovery(project=absolute(project))
    if as_json:
        print_json(recovery)
    elif whole:
        typer.echo(recovery.bundle or "")
    elif recovery.interrupted:
        show_recovery(console(), recovery)
        if recovery.session is not None:
            typer.echo(f"Continue it: shim resume {recovery.session.client_session_id} --run")
    else:
        typer.echo(f"Nothing is interrupted: {recovery.why}.")
    if not recovery.interrupted:
        raise typer.Exit(1)


def absolute(project: Path | None) -> str | None:
    """Return a project's folder as SHIM knows it."""
    return None if project is None else str(project.expanduser().resolve())


def state_of(session: Session) -> str:
    """Return where a session stands, in words."""
    return f"{session.state.value}, turn open" if session.turn_open else session.state.value


def _session_facts(session: Session) -> Iterator[tuple[str, Any]]:
    yield "session", session.id
    yield "client", " ".join(filter(None, (session.client, session.client_version, session.client_session_id)))
    yield "model", session.model
    yield "project", session.project
    yield "state", state_of(session)
    yield "ended because", session.end_reason
    yield "process", session.process.pid if session.process else None
    yield "started", session.started_at
    yield "last seen", session.last_seen_at
    yield "entries", session.position
    yield "checkpoints", session.checkpoints
    yield "context", f"{session.context_tokens} tokens"


def _signal_facts(report: SignalReport) -> Iterator[tuple[str, Any]]:
    yield "signals", [f"{signal.name}: {signal.why}" for signal in report.raised] or "none"
    yield "risk", _risk(report.risk)


def _risk(risk: RiskReport | None) -> str | None:
    if risk is None:
        return None
    left = f"about {risk.calls_left:.0f} calls left; " if risk.calls_left is not None else ""
    return f"{risk.probability:.0%} that a compaction comes within 10 calls; {left}{risk.why}"


def _work_facts(state: CheckpointState | None, recovery: Recovery) -> Iterator[tuple[str, Any]]:
    if state is not None:
        yield "doing", state.task.operation
        yield "decisions", state.decisions
        yield "files edited", state.files_edited
        yield "log verified", state.verified
    yield "in flight", [pending_line(call) for call in recovery.pending]
    yield "recovery", recovery.why if recovery.interrupted else None
