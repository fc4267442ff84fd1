"""The report as a picture: cost above, tokens of every kind below."""

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from shim_cli.errors import Refused
from shim_cli.home import Home
from shim_cli.output import plain
from shim_cli.usage.report import By, Report
from shim_common.kernel.errors import BadInput, Unavailable, Unprocessable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".png", ".svg")
MAX_BARS = 60
"""Rows beyond these are left out: of days the oldest, else the cheapest."""

KINDS = {
    "input": "input",
    "output": "output",
    "cache_write_5m": "cache write, 5 min",
    "cache_write_1h": "cache write, 1 h",
    "cache_read": "cache read",
}
LABEL_LENGTH = 28
DPI = 144


def check(path: Path) -> None:
    """Refuse a file that no picture can be written to, before the work is done.

    Raises:
        Refused: its name says neither PNG nor SVG.
    """
    if path.suffix.lower() not in FORMATS:
        raise Refused(f"{path.name} must end in .png or .svg")


def write(report: Report, path: Path, home: Home) -> None:
    """Draw the report into a file, by its name PNG or SVG.

    Raises:
        Unprocessable: the report is empty.
        Unavailable: matplotlib is not installed.
        BadInput: the file cannot be written.
    """
    if not report.rows:
        raise Unprocessable("there is nothing to plot")
    # matplotlib keeps a list of fonts; here it goes with all else that SHIM keeps.
    os.environ.setdefault("MPLCONFIGDIR", str(home.folder / "cache" / "matplotlib"))
    try:
        # Imported here because no other command should wait for it.
        from matplotlib.figure import Figure
    except ImportError:
        raise Unavailable("plots need matplotlib; install it beside SHIM: pip install matplotlib") from None
    figure = Figure(figsize=(11, 7), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    _draw(report, above, below)
    try:
        with warnings.catch_warnings():
            # A letter that the font lacks is drawn as a box; there is nothing that the user could do.
            warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
            figure.savefig(path, format=path.suffix[1:].lower(), dpi=DPI)
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}") from None


def _draw(report: Report, above: "Axes", below: "Axes") -> None:
    rows = report.rows[-MAX_BARS:] if report.by is By.DAY else report.rows[:MAX_BARS]
    places = range(len(rows))
    agents = [row.subagents.cost or 0.0 for row in rows]
    main = [(row.usage.cost or 0.0) - part for row, part in zip(rows, agents, strict=True)]
    _stack(above, {"main conversations": main, "subagents": agents})
    _stack(below, {label: [getattr(row.usage, kind) / 1e6 for row in rows] for kind, label in KINDS.items()})
    above.set_ylabel("US dollars")
    above.set_title(f"Usage by {report.by.value}")
    below.set_ylabel("million tokens")
    below.set_xticks(places, [_label(row.key) for row in rows], rotation=60, ha="right", fontsize=8, parse_math=False)


def _stack(axes: "Axes", series: dict[str, list[float]]) -> None:
    places = range(len(next(iter(series.values()))))
    floor = [0.0 for _ in places]
    for label, heights in series.items():
        axes.bar(places, heights, bottom=floor, label=label)
        floor = [low + height for low, height in zip(floor, heights, strict=True)]
    axes.legend(fontsize=8)


def _label(key: str) -> str:
    key = plain(key)
    return key if len(key) <= LABEL_LENGTH else f"…{key[-LABEL_LENGTH:]}"
