"""How benches report: a table for people, a flat JSON for programs."""

import json
import math
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

HERE = Path(__file__).resolve().parent


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of log(size) over log(length): 1 is linear growth, 2 quadratic."""
    xs, ys = [math.log(x) for x, _ in points], [math.log(y) for _, y in points]
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True)) / sum((x - mean_x) ** 2 for x in xs)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def write(name: str, figures: Mapping[str, float | str]) -> None:
    """Write figures to `bench/NAME.json`."""
    about = {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    (HERE / f"{name}.json").write_text(json.dumps({**about, **figures}, indent=2, sort_keys=True) + "\n")


def skip(reason: str) -> None:
    """Say why nothing is measured, and end."""
    print(f"skipped: {reason}")
    sys.exit(0)
