"""The runner's process: `python -m shim_stack`. `shim up` starts it."""

import argparse
import asyncio
import sys

from shim_stack.progress import Progress, ProgressPipe, Step
from shim_stack.runner import supervise
from shim_stack.runner_log import log_to
from shim_stack.settings import data_folder
from shim_stack.table import make_plan


def main() -> int:
    """Run the stack until told to stop; the exit code is 0 after a clean stop."""
    parser = argparse.ArgumentParser(prog="python -m shim_stack", description="Runs SHIM's processes.")
    parser.add_argument("--progress-fd", type=int, help="where to write the steps of coming up, one JSON line each")
    arguments = parser.parse_args()
    log_to(sys.stderr)
    report: Progress = _nobody if arguments.progress_fd is None else ProgressPipe(arguments.progress_fd).report
    return asyncio.run(supervise(data_folder(), make_plan, report))


def _nobody(_: Step) -> None:
    """Nobody asked."""


if __name__ == "__main__":
    sys.exit(main())
