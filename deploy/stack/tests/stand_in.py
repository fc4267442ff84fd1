"""A stack of stand-ins in a process of its own: the real runner with small programs in place of the real ones.

Usage: stand_in.py TABLE [--port N] [--foreground | --progress-fd N]. TABLE is JSON, a list of objects with `name`,
`code` (Python), `after`, `ready_seconds` and `grace` (seconds after SIGTERM). A program is ready when it has made the
file that $READY names.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from shim_common.embedded.identity import StopStep
from shim_common.embedded.program import Program, until
from shim_stack.ports import require_free
from shim_stack.progress import ProgressPipe
from shim_stack.record import RunRecord
from shim_stack.runner import Plan, supervise
from shim_stack.runner_log import log_to
from shim_stack.settings import data_folder


def program(row: dict[str, Any], run_folder: Path) -> Program:
    ready = run_folder / f"{row['name']}.ready"

    async def prepare() -> None:
        ready.unlink(missing_ok=True)

    async def is_ready() -> bool:
        return ready.exists()

    return Program(
        name=row["name"],
        argv=[sys.executable, "-S", "-c", row["code"]],
        env=dict(os.environ) | {"READY": str(ready), "NAME": row["name"]},
        prepare=prepare,
        ready=lambda: until(is_ready),
        ready_seconds=row.get("ready_seconds", 10),
        after=row.get("after", ()),
        stop=(StopStep(signal.SIGTERM, row.get("grace", 10)), StopStep(signal.SIGKILL, 5)),
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("table", type=json.loads)
    parser.add_argument("--port", type=int)
    parser.add_argument("--progress-fd", type=int)
    parser.add_argument("--foreground", action="store_true")
    arguments = parser.parse_args()
    folder = data_folder()

    async def make_plan(last: RunRecord) -> Plan:
        if arguments.port:
            require_free("127.0.0.1", arguments.port)
        run_folder = folder.path / "run"
        run_folder.mkdir(exist_ok=True)
        programs = [program(row, run_folder) for row in arguments.table]
        return Plan(programs, run_folder, port=arguments.port, url=f"http://127.0.0.1:{arguments.port}")

    if arguments.foreground:
        from rich.console import Console

        from shim_stack.up import hold_up

        return 0 if hold_up(folder, make_plan, Console()) else 1
    log_to(sys.stderr)
    return asyncio.run(supervise(folder, make_plan, ProgressPipe(arguments.progress_fd).report))


if __name__ == "__main__":
    sys.exit(main())
