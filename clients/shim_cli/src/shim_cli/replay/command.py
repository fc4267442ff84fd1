"""`shim replay`."""

from pathlib import Path
from typing import Annotated

import typer

from shim_cli.api import Api
from shim_cli.errors import EXIT_FAILED, Refused
from shim_cli.home import Home
from shim_cli.output import console
from shim_cli.replay.player import Player, Wish
from shim_cli.replay.recording import Recording
from shim_cli.replay.screen import Screen, show_report
from shim_common.kernel.clock import SystemClock


def command(
    files: Annotated[list[Path], typer.Argument(help="Transcripts (.jsonl, .jsonl.gz).", dir_okay=False)],
    speed: Annotated[str, typer.Option(help="Recorded seconds a second; max is as fast as it goes.")] = "max",
    kill_at: Annotated[
        int | None, typer.Option(min=1, help="Kill the client after so many entries, and recover it.")
    ] = None,
    project: Annotated[Path | None, typer.Option(help="The sessions' project, instead of the recorded one.")] = None,
    forget: Annotated[bool, typer.Option("--forget", help="Delete the sessions afterwards.")] = False,
) -> None:
    """Feed recorded sessions through SHIM as if live, and verify that all of it is stored.

    Ends with 1 if anything is not stored as it was sent, redaction apart.
    """
    wish = Wish(parse_speed(speed), kill_at, project.absolute() if project else None)
    out = console()
    is_equal = True
    with Api.of(Home.here()) as api:
        for file in files:
            with Screen(out) as screen:
                report = Player(api, SystemClock(), screen).play(Recording(file), wish)
            show_report(out, report)
            is_equal &= report.is_equal
            if forget and report.session is not None:
                api.delete_session(report.session.id)
    if not is_equal:
        raise typer.Exit(EXIT_FAILED)


def parse_speed(text: str) -> float | None:
    """Return the speed, None for as fast as it goes.

    Raises:
        Refused: it is neither `max` nor a number above 0.
    """
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < float("inf"):
        raise Refused(f"--speed is max or a number above 0, not {text!r}")
    return speed
