"""Starts a runner that outlives this process, and hears what it says until the stack is up or has failed."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from shim_stack.folder import DataFolder
from shim_stack.logs import LogFile
from shim_stack.progress import Step

RUNNER = (sys.executable, "-P", "-m", "shim_stack")


@dataclass
class Launch:
    """A runner on its way up, in a session of its own with its output in a log."""

    process: "subprocess.Popen[bytes]"
    pipe: int

    def steps(self) -> Iterator[Step]:
        """The runner's steps as they come; the last one is `up`, `failed` or `already_running`.

        A runner that ends without a word counts as failed. One that failed has ended when this does.
        """
        with os.fdopen(self.pipe, "rb") as lines:
            for line in lines:
                with contextlib.suppress(ValidationError):
                    step = Step.model_validate_json(line)
                    yield step
                    if step.kind == "up":
                        return
                    if step.is_last:
                        self.process.wait()
                        return
        code = self.process.wait()
        yield Step(kind="failed", process="runner", text=f"the runner ended with exit code {code}")

    def detach(self) -> None:
        """Leave the runner to itself."""
        self.process.returncode = 0  # so that nobody waits for it, and its destruction here does not warn

    def cancel(self) -> None:
        """Take the stack down again."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def launch(folder: DataFolder, environ: Mapping[str, str], command: Sequence[str] = RUNNER) -> Launch:
    """Start `command` detached from this terminal, its progress going into a pipe.

    Raises OSError where it cannot be started.
    """
    read_end, write_end = os.pipe()
    try:
        with LogFile(folder.logs / "runner.log").open() as log:
            process = subprocess.Popen(
                [*command, "--progress-fd", str(write_end)],
                env=dict(environ),
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(write_end,),
                start_new_session=True,
            )
    finally:
        os.close(write_end)
    return Launch(process, read_end)
