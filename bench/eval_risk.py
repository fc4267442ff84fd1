"""Measures the risk model on recorded sessions: prints the table and writes bench/eval-risk.json.

    python bench/eval_risk.py [--prior] [FOLDER_OR_FILE...]

Without arguments it takes ../shared/data/transcripts beside the repository, and says so where that is missing.
--prior prints the growth that `shim_risk.Prior.default()` ships instead.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from shim_risk.evaluate import NothingToEvaluateError, fit_prior, load, run

ROOT = Path(__file__).resolve().parents[1]
RECORDED = ROOT.parent / "shared" / "data" / "transcripts"
RESULT = ROOT / "bench" / "eval-risk.json"


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    paths = options.paths or [RECORDED]
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        print(f"skipped: there are no recorded sessions at {', '.join(missing)}")
        return 1 if options.paths else 0
    if options.prior:
        print([round(quantile) for quantile in fit_prior(load(paths)).growth.quantiles])
        return 0
    try:
        report = run(paths)
    except NothingToEvaluateError as error:
        print(f"skipped: {error}")
        return 1
    print(report.render())
    RESULT.write_text(json.dumps(report.figures, indent=1) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measures the risk model on recorded sessions.")
    parser.add_argument("paths", nargs="*", type=Path, metavar="FOLDER_OR_FILE")
    parser.add_argument("--prior", action="store_true", help="print the growth of the sessions and stop")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
