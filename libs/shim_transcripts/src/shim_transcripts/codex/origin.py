"""Where a Codex thread comes from: the `session_meta` at the start of its rollout."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shim_transcripts.codex.entries import is_rollout_line
from shim_transcripts.records import Record, parse_line, salvage


@dataclass(frozen=True, slots=True)
class RolloutOrigin:
    """The folder that a thread works in, the version of Codex, and when the thread began."""

    cwd: str
    client_version: str | None
    began_at: datetime | None


def rollout_origin(lines: Iterable[bytes]) -> RolloutOrigin | None:
    """Return what the first readable `session_meta` says, or, where it is damaged, the first `turn_context`.

    None where no line says so, which also tells other programs' files from rollouts.
    """
    for raw in lines:
        for record in _records(raw):
            cwd, version = _field(record, "cwd"), _field(record, "cli_version")
            if record.type in ("session_meta", "turn_context") and cwd and cwd.startswith("/"):
                return RolloutOrigin(cwd, version, record.at)
    return None


def _records(raw: bytes) -> list[Record]:
    record = parse_line(raw, 0)
    if isinstance(record, Record):
        return [record] if is_rollout_line(record) else []
    return salvage(raw, 0, is_rollout_line)


def _field(record: Record, name: str) -> str | None:
    payload = record.data.get("payload")
    value = payload.get(name) if isinstance(payload, dict) else None
    return value if isinstance(value, str) and value else None
