"""What the agent says about itself, for `shim status`: `SHIM_HOME/agent-status.json`."""

from pathlib import Path

from pydantic import Field, ValidationError

from shim_common.contracts.base import Moment, Wire
from shim_common.kernel.secrets import write_private


class SessionStatus(Wire):
    """A session that the agent follows. Ids and figures only."""

    session: str = Field(description="The client's id.")
    pid: int | None = Field(description="The client's process; absent where it is not known.")
    counts: dict[str, int] = Field(
        description="What was made of the transcript since the agent started: lines read, skipped, damaged,"
        " repaired, salvaged; entries appended, duplicates, refused."
    )
    entries_without_hooks: int = Field(description="Entries in a row that only the transcript told of.")
    hooks_missing: bool = Field(description="The transcript grows, and no hook arrives.")


class ConnectionStatus(Wire):
    """A connected client."""

    client: str
    config_dir: Path
    connected_at: Moment
    folder_found: bool
    sessions: list[SessionStatus]


class AgentStatus(Wire):
    """The agent as it was at `written_at`; it may have ended since, so compare the pid."""

    version: str
    pid: int
    started_at: Moment
    written_at: Moment
    problem: str | None = Field(description="Why SHIM cannot be reached; absent while it can.")
    connections: list[ConnectionStatus]
    refused_projects: dict[str, str] = Field(description="Projects whose files are not kept, and why.")


def status_file(home: Path) -> Path:
    """Return where the status is written."""
    return home / "agent-status.json"


def read_status(home: Path) -> AgentStatus | None:
    """Return what the agent last wrote; None where it never did, or an older or newer one did."""
    try:
        return AgentStatus.model_validate_json(status_file(home).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


class StatusWriter:
    """Writes the status when it says something new, and now and then to show that the agent lives."""

    REFRESH_SECONDS = 60.0

    def __init__(self, home: Path) -> None:
        self._home = home
        self._written: AgentStatus | None = None

    def write(self, status: AgentStatus) -> None:
        """Write the status unless the file says the same already."""
        last = self._written
        if last is not None:
            is_same = last.model_copy(update={"written_at": status.written_at}) == status
            if is_same and (status.written_at - last.written_at).total_seconds() < self.REFRESH_SECONDS:
                return
        write_private(status_file(self._home), status.model_dump_json(indent=1).encode() + b"\n")
        self._written = status
