"""What is known on this machine of a session that somebody looks after, and what is reported of it."""

from datetime import datetime
from pathlib import Path

from pydantic import Field

from shim_agent.processes.identity import find
from shim_common.contracts.base import Wire
from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import (
    AttemptOutcome,
    AttemptReport,
    EndKind,
    EndReport,
    NewWatch,
    Owner,
)
from shim_common.kernel.ids import Ids
from shim_common.processes import is_same_process


class Tended(Wire):
    """A session with its newest client process, as it was seen on this machine: nothing in it came over the network."""

    watch: NewWatch
    config_dir: Path | None = Field(None, description="As `CLAUDE_CONFIG_DIR` told the client; absent if it did not.")
    command: list[str] = Field(description="The arguments that go on with the session.")
    boot: str = Field(description="The start of the machine that the process belongs to.")
    run: ProcessRef | None = Field(None, description="The `shim run` that owns the client; absent if there is none.")
    ended: EndReport | None = Field(None, description="How the process ended, and what was decided.")
    by_hand: bool = Field(default=False, description="Whether a person is known to have closed it.")
    launcher: str | None = Field(None, description="By which launcher it is being brought back.")

    @property
    def session(self) -> str:
        """The client's id of the session."""
        return self.watch.session

    @property
    def process(self) -> ProcessRef:
        """The client's process."""
        return self.watch.process

    @property
    def is_wanted_back(self) -> bool:
        """Tell whether the client ended without anybody wanting it to."""
        return self.ended is not None and self.ended.end.kind is not EndKind.CLOSED

    def is_of(self, process: ProcessRef) -> bool:
        """Tell whether this process is meant."""
        return is_same_process(self.watch.process, process)

    def is_running(self, now: datetime) -> bool:
        """Tell whether the very process still runs."""
        return self.ended is None and find(self.process, now) is not None

    def has_living_run(self, now: datetime) -> bool:
        """Tell whether a `shim run` owns the client and is there to act; then nobody else does."""
        return self.run is not None and find(self.run, now) is not None

    def with_end(self, ended: EndReport, *, by_hand: bool = False) -> "Tended":
        """Return the same with its end."""
        return self.model_copy(update={"ended": ended, "by_hand": by_hand})

    def brought_back_by(self, launcher: str | None) -> "Tended":
        """Return the same while a launcher is at work; None where it no longer is."""
        return self.model_copy(update={"launcher": launcher})

    def adopted(self) -> "Tended":
        """Return the same in the agent's hands, because the `shim run` that owned it is gone."""
        watch = self.watch.model_copy(update={"managed_by": Owner.AGENT, "started_under_shim": False})
        return self.model_copy(update={"watch": watch, "run": None})


class Report(Wire):
    """Something that was done, with all that it takes to tell of it: the watch, its end, and one try after it."""

    watch: NewWatch
    end: EndReport | None = None
    attempt: AttemptReport | None = None
    dismissed: bool = Field(default=False, description="The person does not want it back.")


def attempt(
    before: Tended, ids: Ids, at: datetime, *, pid: int | None = None, why: str = "", launcher: str | None = None
) -> Report:
    """Return the report of a try to go on with a session that ended: with a pid it runs, without one it failed."""
    made = AttemptReport(
        id=ids.new("rpt"),
        at=at,
        outcome=AttemptOutcome.FAILED if pid is None else AttemptOutcome.RUNNING,
        pid=pid,
        launcher=launcher or before.launcher,
        why=why[:500],
    )
    return Report(watch=before.watch, end=before.ended, attempt=made)
