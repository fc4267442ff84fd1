"""What differs between the clients that tell of themselves by hooks."""

from collections.abc import Mapping
from enum import StrEnum


class HookedClient(StrEnum):
    """A client whose hooks are taken; the value is its name in sessions and paths."""

    CLAUDE_CODE = "claude-code"
    CODEX = "codex"


_RESUME: Mapping[str, tuple[str, ...]] = {
    HookedClient.CLAUDE_CODE: ("claude", "--resume"),
    HookedClient.CODEX: ("codex", "resume"),
}


def resume_command(client: str, client_session_id: str) -> list[str] | None:
    """Return the command that goes on with a session; None where the client has none."""
    start = _RESUME.get(client)
    return [*start, client_session_id] if start else None
