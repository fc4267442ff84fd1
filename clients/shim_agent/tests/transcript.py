"""Lines as the client writes them, about nothing in particular."""

import json
import uuid
from datetime import UTC, datetime
from typing import Any

from shim_transcripts import EntryReader


def session_id() -> str:
    return str(uuid.uuid4())


def line(session: str, text: str = "hello", *, cwd: str = "/p", **more: Any) -> bytes:
    """A user line with its newline."""
    body = {
        "parentUuid": None,
        "isSidechain": False,
        "type": "user",
        "uuid": str(uuid.uuid4()),
        "sessionId": session,
        "timestamp": datetime.now(UTC).isoformat(),
        "version": "2.1.329",
        "cwd": cwd,
        "message": {"role": "user", "content": text},
    }
    return json.dumps(body | more).encode() + b"\n"


def noise(session: str, size: int = 10) -> bytes:
    """A line that nobody needs."""
    return line(session, type="progress", data={"type": "bash_progress", "output": "x" * size})


def tool_use(session: str, name: str, arguments: dict[str, Any], *, cwd: str = "/p") -> bytes:
    call = {"type": "tool_use", "id": f"toolu_{uuid.uuid4().hex}", "name": name, "input": arguments}
    return line(
        session,
        cwd=cwd,
        type="assistant",
        message={"id": f"msg_{uuid.uuid4().hex}", "role": "assistant", "model": "m", "content": [call]},
    )


def keys(content: bytes) -> list[str]:
    """The keys of the entries in a transcript."""
    return [placed.entry.key for placed in EntryReader().feed(content)]
