"""Which assistants the user connected: the agent looks at nothing else.

`SHIM_HOME/connections.json` is written by `shim connect` and `shim disconnect` and read by the agent:
`{"connections": [{"client": "claude-code", "config_dir": "/home/ana/.claude", "connected_at": "..."}]}`.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationError

from shim_common.contracts.base import Moment, Wire
from shim_common.kernel.errors import BadInput
from shim_common.kernel.secrets import write_private

CLAUDE_CODE = "claude-code"
CODEX = "codex"


def _absolute(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError(f"{path} is not an absolute path")
    return path


class Connection(Wire):
    """A client that the user named, with the folder that holds its configuration and transcripts."""

    client: str = Field(min_length=1, max_length=64, examples=[CLAUDE_CODE])
    config_dir: Annotated[Path, AfterValidator(_absolute)]
    connected_at: Moment


class _ConnectionsFile(Wire):
    connections: list[Connection] = Field(default_factory=list)


def connections_file(home: Path) -> Path:
    """Return where the connections are kept in this data folder."""
    return home / "connections.json"


def read_connections(home: Path) -> list[Connection]:
    """Return the connections; none where nothing was ever connected.

    Raises:
        BadInput: the file is there and cannot be understood.
    """
    path = connections_file(home)
    try:
        return _ConnectionsFile.model_validate_json(path.read_bytes()).connections
    except FileNotFoundError:
        return []
    except ValidationError as error:
        raise BadInput(
            f"{path} cannot be understood ({error.errors()[0]['msg']}); mend it, or delete it and connect again",
            code="connections_unreadable",
        ) from error


def connect(home: Path, client: str, config_dir: Path, now: datetime) -> Connection:
    """Add a connection and return it; an existing one keeps the moment it was first made.

    Raises:
        BadInput: the file of connections is there and cannot be understood.
    """
    with _locked(home):
        present = read_connections(home)
        for known in present:
            if (known.client, known.config_dir) == (client, config_dir):
                return known
        added = Connection(client=client, config_dir=config_dir, connected_at=now)
        _write(home, [*present, added])
        return added


def disconnect(home: Path, client: str, config_dir: Path) -> bool:
    """Take a connection out; tell whether it was there.

    Raises:
        BadInput: the file of connections is there and cannot be understood.
    """
    with _locked(home):
        present = read_connections(home)
        kept = [one for one in present if (one.client, one.config_dir) != (client, config_dir)]
        if len(kept) == len(present):
            return False
        _write(home, kept)
        return True


class ConnectionsWatch:
    """Reads the connections again when their file changes."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._seen: tuple[int, int, int] | None = (-1, -1, -1)

    def changed(self) -> list[Connection] | None:
        """Return the connections if the file is not as it was at the last call, else None.

        Raises:
            BadInput: the file changed and cannot be understood; told once for each change.
        """
        stamp = _stamp(connections_file(self._home))
        if stamp == self._seen:
            return None
        self._seen = stamp
        return read_connections(self._home)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


def _write(home: Path, connections: Sequence[Connection]) -> None:
    text = _ConnectionsFile(connections=list(connections)).model_dump_json(indent=2)
    write_private(connections_file(home), text.encode() + b"\n")


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """Let one process at a time change the file: reading and writing it are two steps."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(home / ".connections.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
