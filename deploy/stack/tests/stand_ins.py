"""Stacks of stand-ins: the real runner in a process of its own, small programs in place of the real ones."""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shim_common.embedded.identity import ProcessIdentity, StopStep
from shim_stack.folder import DataFolder
from shim_stack.launch import Launch, launch
from shim_stack.progress import Step
from shim_stack.record import ProcessRecord, RunRecord, read_record

STAYS = "import os, pathlib, signal; pathlib.Path(os.environ['READY']).touch(); signal.pause()"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + STAYS
DIES = "print('no room for me'); raise SystemExit(7)"
HANGS = "import signal; signal.pause()"
SAYS_GOODBYE = """
import os, pathlib, signal, sys
def end(*_):
    with open(os.path.join(os.environ['SHIM_HOME'], 'goodbyes'), 'a') as file: file.write(os.environ['NAME'] + ' ')
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
pathlib.Path(os.environ['READY']).touch()
while True: signal.pause()
"""


def row(name: str, code: str = STAYS, **more: object) -> dict[str, object]:
    """One program of the table."""
    return {"name": name, "code": code, **more}


@dataclass
class Stack:
    """Stand-ins on one data folder."""

    folder: DataFolder
    started: list[Launch] = field(default_factory=list)
    seen: set[ProcessIdentity] = field(default_factory=set)

    @property
    def environ(self) -> dict[str, str]:
        return dict(os.environ) | {"SHIM_HOME": str(self.folder.path)}

    def command(self, *table: dict[str, object], more: Sequence[str] = ()) -> list[str]:
        return [sys.executable, str(Path(__file__).with_name("stand_in.py")), json.dumps(table), *more]

    def start(self, *table: dict[str, object], more: Sequence[str] = ()) -> list[Step]:
        """Start a runner and return all it said until it was up or had failed."""
        self.folder.open()
        self.started.append(launch(self.folder, self.environ, self.command(*table, more=more)))
        steps = list(self.started[-1].steps())
        self.record()
        return steps

    def record(self) -> RunRecord:
        record = read_record(self.folder.run_record)
        assert record is not None
        self.seen |= {process.identity for process in record.processes}
        return record

    def process(self, name: str) -> ProcessRecord:
        return next(process for process in self.record().processes if process.name == name)

    def stop_runner(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the runner a signal and return its exit code."""
        process = self.started[-1].process
        process.send_signal(number)
        return process.wait(10)

    def end(self) -> None:
        for one in self.started:
            one.process.kill()
            one.process.wait()
        for identity in self.seen:
            identity.stop([StopStep(signal.SIGKILL, 5.0)])


def eventually(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait until `condition` holds; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        with contextlib.suppress(StopIteration):  # the process is not there yet
            if condition():
                return
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
