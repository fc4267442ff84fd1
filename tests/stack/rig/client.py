"""A configuration folder of Claude Code with transcripts in it, as the agent sees one."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shim_agent.connections import CLAUDE_CODE, connect, disconnect
from shim_common.kernel.clock import SystemClock

PROJECT = "/shim-test/transcripts"
"""Where the sessions say that they work; there is no such folder."""


@dataclass(frozen=True)
class ConnectedClient:
    """A client that the agent follows."""

    config_dir: Path

    def transcript(self, session: str) -> Path:
        """Where the client would write this session."""
        return self.config_dir / "projects" / "-shim-test" / f"{session}.jsonl"

    def write(self, content: bytes, session: str | None = None) -> str:
        """Write a whole session at once and return its id."""
        session = session or str(uuid.uuid4())
        self.transcript(session).write_bytes(content)
        return session


@contextmanager
def connected(home: Path, config_dir: Path) -> Iterator[ConnectedClient]:
    """Let the agent of a stack follow `config_dir` for the length of a block, as `shim connect` does."""
    client = ConnectedClient(config_dir)
    client.transcript("any").parent.mkdir(parents=True)
    connect(home, CLAUDE_CODE, config_dir, SystemClock().now())
    try:
        yield client
    finally:
        disconnect(home, CLAUDE_CODE, config_dir)


def prompt_line(session: str, key: str, text: str) -> bytes:
    """A prompt as the client writes it, with its newline."""
    record = {
        "type": "user",
        "uuid": key,
        "sessionId": session,
        "cwd": PROJECT,
        "version": "2.1.329",
        "timestamp": SystemClock().now().isoformat(),
        "message": {"role": "user", "content": text},
    }
    return json.dumps(record).encode() + b"\n"
