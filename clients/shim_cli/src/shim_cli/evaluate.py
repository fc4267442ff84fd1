"""`shim eval`: how well SHIM's forecasts would have done on recorded sessions."""

from pathlib import Path
from typing import Annotated

import typer

from shim_cli.output import JsonOption, print_json
from shim_common.kernel.errors import BadInput, Unprocessable

app = typer.Typer(help="Measure SHIM's forecasts on recorded sessions.", no_args_is_help=True)


@app.callback()
def family() -> None:
    """Measure SHIM's forecasts on recorded sessions."""


@app.command("risk")
def risk(
    transcripts: Annotated[list[Path], typer.Argument(exists=True, help="Transcripts, or folders of them.")],
    as_json: JsonOption = False,
) -> None:
    """Forecast every compaction in the transcripts, each session judged by what the others taught."""
    # Imported here because it brings numpy, which no other command should wait for.
    from shim_risk import evaluate

    try:
        report = evaluate.run(transcripts)
    except evaluate.NothingToEvaluateError as error:
        raise Unprocessable(str(error)) from None
    except OSError as error:
        raise BadInput(f"{error.filename} cannot be read: {error.strerror}") from None
    print_json(report.figures) if as_json else typer.echo(report.render())
