"""`shim demo`: SHIM proves itself on a recorded session that is killed in the middle of a tool call."""

from importlib import resources
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text

from shim_cli.api import Api
from shim_cli.errors import EXIT_FAILED
from shim_cli.home import Home
from shim_cli.output import console
from shim_cli.replay.player import Player, Wish
from shim_cli.replay.recording import Recording
from shim_cli.replay.screen import Screen, show_report
from shim_cli.replay.timeline import has_result
from shim_common.kernel.clock import SystemClock

RECORDING = "webshop.jsonl"

PROJECT = Path("/shim-demo/webshop")
"""A folder that does not exist, so that no project of the user's gets to hear of the demonstration."""


def command() -> None:
    """Replay a recorded session, kill it in the middle of a tool call, recover and verify it."""
    code = run(console())
    if code:
        raise typer.Exit(code)


def run(out: Console) -> int:
    """Run the demonstration and clean up after it; return the exit code.

    Raises:
        NotRunning: SHIM is not there.
        ApiProblem: SHIM refused a request.
    """
    with resources.as_file(resources.files("shim_cli") / "recordings" / RECORDING) as path, Api.of(Home.here()) as api:
        recording = Recording(path)
        wish = Wish(kill_at=mid_tool(recording), project=PROJECT)
        out.print(Text("A recorded session is replayed, and its client killed while a tool call is in flight."))
        with Screen(out) as screen:
            report = Player(api, SystemClock(), screen).play(recording, wish)
        if report.session is not None:
            api.delete_session(report.session.id)
    show_report(out, report)
    recovered = report.recovery is not None and report.recovery.interrupted and bool(report.recovery.pending)
    if not recovered:
        out.print(Text("The kill was not recognised as an interruption with a call in flight.", style="bold red"))
    return 0 if recovered and report.is_equal else EXIT_FAILED


def mid_tool(recording: Recording) -> int:
    """Return after how many entries a tool call is in flight: the last but one, so that the session goes on behind."""
    arrivals = [number for number, placed in enumerate(recording.entries()) if has_result(placed.entry.body)]
    return arrivals[-2:][0] if arrivals else 1
