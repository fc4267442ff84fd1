"""`shim resume`: go on with an interrupted session."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from shim_agent.connections import CLAUDE_CODE, read_connections
from shim_cli.api import Api
from shim_cli.errors import Refused
from shim_cli.home import Home
from shim_cli.output import JsonOption, console, plain, print_json
from shim_cli.replay.screen import show_recovery
from shim_cli.sessions import absolute
from shim_common.contracts.sessions import Recovery
from shim_common.kernel.errors import NotFound
from shim_transcripts import find_session_file

CLAUDE_DESKTOP = "claude-desktop"
OPEN_DESKTOP = ("open", "-a", "Claude") if sys.platform == "darwin" else ("xdg-open", "claude://")
"""Brings the program up; no deep link of it opens a conversation, and none is tried with a prompt nobody wrote."""
DESKTOP_HINT = "then ask it there to call shim_check_recovery"


@dataclass(frozen=True)
class Continuation:
    """The command that goes on with a session, how a person would type it, and the folder to run it in."""

    command: tuple[str, ...]
    typed: str
    folder: Path


def add_to(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command("resume")(resume)


def resume(
    sid: Annotated[str | None, typer.Argument(help="The session [default: the interrupted one here].")] = None,
    run: Annotated[bool, typer.Option("--run", help="Start the client.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how to continue a session, or continue it."""
    home = Home.here()
    with Api.of(home) as api:
        recovery = api.recovery(session=sid) if sid else api.recovery(project=absolute(Path()))
    if as_json:
        print_json(recovery)
        return
    folders = [one.config_dir for one in read_connections(home.folder) if one.client == CLAUDE_CODE]
    continuation = plan(recovery, folders)
    if run:
        start(continuation)
    show_recovery(console(), recovery)
    typer.echo(plain(f"cd {shlex.quote(str(continuation.folder))} && {continuation.typed}"))


def plan(recovery: Recovery, config_dirs: Iterable[Path]) -> Continuation:
    """Work out how to go on with the session.

    A client that is killed within the first 100 ms of a session leaves no transcript, and cannot resume what it never
    wrote; then a new session is started with the bundle.

    Raises:
        NotFound: there is no session to continue, or its client cannot be resumed.
    """
    session = recovery.session
    if session is None:
        raise NotFound(f"there is nothing to resume: {recovery.why}; `shim sessions` lists all sessions")
    if session.client == CLAUDE_DESKTOP:
        return Continuation(OPEN_DESKTOP, f"{shlex.join(OPEN_DESKTOP)}   # {DESKTOP_HINT}", Path.home())
    if recovery.resume is None:
        raise NotFound(f"{session.client} cannot resume a session by a command; start a new one there")
    folder = Path(session.project)
    folders = list(config_dirs)
    written = any(find_session_file(one, session.client_session_id) for one in folders)
    if session.client != CLAUDE_CODE or written or not folders or recovery.bundle is None:
        return Continuation(tuple(recovery.resume), shlex.join(recovery.resume), folder)
    start_anew = (recovery.resume[0], "--append-system-prompt")
    bundle = f'"$(shim recovery --session {shlex.quote(session.client_session_id)} --bundle)"'
    return Continuation((*start_anew, recovery.bundle), f"{shlex.join(start_anew)} {bundle}", folder)


def start(continuation: Continuation) -> None:
    """Become the client, in its project's folder.

    Raises:
        Refused: the folder or the program is not there.
    """
    folder, command = continuation.folder, continuation.command
    if not folder.is_dir():
        raise Refused(f"the project's folder {folder} is not there any more; restore it or start elsewhere")
    program = shutil.which(command[0])
    if program is None:
        raise Refused(f"{command[0]} is not on the search path; install it or start it by its full name")
    os.chdir(folder)
    os.execv(program, command)  # noqa: S606 - the client takes this command's place, without a shell
