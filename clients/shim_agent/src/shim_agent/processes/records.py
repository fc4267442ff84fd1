"""What the client writes about its running processes: `<config_dir>/sessions/<pid>.json`.

Newer clients (2.1.329) keep such a file while they run, delete it on a clean end, and leave it behind when they
are killed. The format is internal to the client, so every field may be missing. The files next to them may hold
credentials and are never opened.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from shim_common.contracts.base import Wire

_NAME = re.compile(r"[1-9]\d{0,9}\.json")
_MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class ClientRecord:
    """A client process as it describes itself.

    `start_tick` is when the process started, in clock ticks since boot (Linux, field 22 of /proc/<pid>/stat);
    `started_at` the same in seconds since the epoch, by the client's own clock. None where it does not say.
    """

    pid: int
    session: str
    start_tick: int | None
    started_at: float | None


class _Written(Wire):
    pid: int
    sessionId: str  # noqa: N815 - the client's own spelling
    procStart: object = None  # noqa: N815
    startedAt: object = None  # noqa: N815


def records_folder(config_dir: Path) -> Path:
    """Return where the client keeps its records."""
    return config_dir / "sessions"


def read_records(config_dir: Path) -> list[ClientRecord]:
    """Return the records that can be read, sorted by pid; none where the client keeps none."""
    try:
        names = [path for path in records_folder(config_dir).iterdir() if _NAME.fullmatch(path.name)]
    except OSError:
        return []
    records = [record for path in names if (record := _read(path))]
    return sorted(records, key=lambda record: record.pid)


def read_record(config_dir: Path, pid: int) -> ClientRecord | None:
    """Return the record of this pid, whichever process left it; None where there is none that can be read."""
    return _read(records_folder(config_dir) / f"{pid}.json")


def _read(path: Path) -> ClientRecord | None:
    try:
        with path.open("rb") as file:
            written = _Written.model_validate_json(file.read(_MAX_BYTES))
    except (OSError, ValidationError):
        return None
    if written.pid != int(path.stem) or not written.sessionId:
        return None
    return ClientRecord(
        pid=written.pid,
        session=written.sessionId,
        start_tick=_whole(written.procStart),
        started_at=started_ms / 1000 if (started_ms := _whole(written.startedAt)) else None,
    )


def _whole(value: object) -> int | None:
    """Read a count that may be written as text; other platforms write other things there."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) else None
