"""The service's process: `python -m shim_stack.service`. systemd or launchd starts it and keeps it."""

import asyncio
import os
import sys

from shim_stack.runner_log import log_to
from shim_stack.service.holding import hold
from shim_stack.service.notify import Notifier
from shim_stack.settings import data_folder
from shim_stack.table import make_plan


def main() -> int:
    """Run the stack until told to stop; the exit code is 0 after a clean stop, 75 where another runner has it."""
    notifier = Notifier.taken_from(os.environ)  # before anything reads the environment to hand it on
    log_to(sys.stderr)
    return asyncio.run(hold(data_folder(), make_plan, notifier))


if __name__ == "__main__":
    sys.exit(main())
