"""`shim resume`: go on with an interrupted session."""

import os
import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from shim_cli.api import Api
from shim_cli.errors import Refused
from shim_cli.home import Home
from shim_cli.output import JsonOption, console, plain, print_json
from shim_cli.replay.screen import show_recovery
from shim_cli.sessions import absolute
from shim_common.contracts.sessions import Recovery
from shim_common.kernel.errors import NotFound


def add_to(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command("resume")(resume)


def resume(
    sid: Annotated[str | None, typer.Argument(help="The session [default: the interrupted one here].")] = None,
    run: Annotated[bool, typer.Option("--run", help="Start the client.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how to continue a session, or continue it."""
    with Api.of(Home.here()) as api:
        recovery = api.recovery(session=sid) if sid else api.recovery(project=absolute(Path()))
    if as_json:
        print_json(recovery)
        return
    command, folder = plan(recovery)
    if run:
        start(command, folder)
    show_recovery(console(), recovery)
    typer.echo(plain(f"cd {shlex.quote(str(folder))} && {shlex.join(command)}"))


def plan(recovery: Recovery) -> tuple[list[str], Path]:
    """Return the command that continues the session, and the folder to run it in.

    Raises:
        NotFound: there is no session to continue, or its client cannot be resumed.
    """
    if recovery.session is None:
        raise NotFound(f"there is nothing to resume: {recovery.why}; `shim sessions` lists all sessions")
    if recovery.resume is None:
        raise NotFound(f"{recovery.session.client} cannot resume a session by a command; start a new one there")
    return recovery.resume, Path(recovery.session.project)


def start(command: list[str], folder: Path) -> None:
    """Become the client, in its project's folder.

    Raises:
        Refused: the folder or the program is not there.
    """
    if not folder.is_dir():
        raise Refused(f"the project's folder {folder} is not there any more; restore it or start elsewhere")
    program = shutil.which(command[0])
    if program is None:
        raise Refused(f"{command[0]} is not on the search path; install it or start it by its full name")
    os.chdir(folder)
    os.execv(program, command)  # noqa: S606 - the client takes this command's place, without a shell
