"""What the runner tells whoever started it, one JSON line a step."""

import contextlib
import os
from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["note", "starting", "ready", "up", "failed", "already_running"]


class Step(BaseModel):
    """One step of coming up; `seconds` since the process, or for `up` the stack, was started."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    process: str = ""
    text: str = ""
    seconds: float = 0.0

    @property
    def is_last(self) -> bool:
        """Whether nothing follows."""
        return self.kind in {"up", "failed", "already_running"}


Progress = Callable[[Step], None]


class ProgressPipe:
    """Steps written to a pipe until the last; nobody needs to read them."""

    def __init__(self, descriptor: int) -> None:
        self._pipe = os.fdopen(descriptor, "wb", buffering=0)

    def report(self, step: Step) -> None:
        """Write `step`; after the last one the pipe is closed."""
        with contextlib.suppress(OSError, ValueError):  # the reader went away, or had its last step
            self._pipe.write(step.model_dump_json().encode() + b"\n")
            if step.is_last:
                self._pipe.close()
