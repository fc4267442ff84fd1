"""The service's process with small programs in place of the real ones: stand_in_service.py TABLE (see stand_in.py)."""

import asyncio
import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from stand_in import program

from shim_stack.record import RunRecord
from shim_stack.runner import Plan
from shim_stack.service.holding import hold
from shim_stack.service.notify import Notifier
from shim_stack.settings import data_folder


async def make_plan(_: RunRecord) -> Plan:
    run_folder = data_folder().path / "run"
    run_folder.mkdir(exist_ok=True)
    return Plan([program(row, run_folder) for row in json.loads(sys.argv[1])], run_folder, url="http://here")


if __name__ == "__main__":
    notifier = Notifier.taken_from(os.environ)
    sys.exit(asyncio.run(hold(data_folder(), make_plan, notifier)))
