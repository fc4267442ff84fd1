"""One line of a transcript, understood as far as every consumer needs it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

from shim_transcripts.damage import Damage, Reason
from shim_transcripts.jsontext import REPLACEMENT, Decoded, JsonObject, TooDeepError, decode

_PADDING = "\0\ufeff \t\r\n"
_RECORD_START = re.compile(r'\{\s*"(?:parentUuid|type|sessionId|uuid|timestamp)"\s*:')
_SALVAGE_BUDGET = 4 * 1024 * 1024
_SALVAGE_OVERHEAD = 500


@dataclass(frozen=True, slots=True)
class Record:
    """A readable line.

    `at` is aware UTC. `data` is the JSON object, storable anywhere (see `jsontext`); `repaired` counts the
    replacements that took. `digest` names the line's JSON text: 16 hex digits, equal for equal text.
    Fields that are missing or of a wrong type are None, an unreadable `type` is "".
    """

    offset: int
    end: int
    type: str
    uuid: str | None
    parent_uuid: str | None
    session_id: str | None
    at: datetime | None
    client_version: str | None
    cwd: str | None
    git_branch: str | None
    is_sidechain: bool
    is_meta: bool
    data: JsonObject
    digest: str
    repaired: int = 0

    @property
    def size(self) -> int:
        """Bytes of the line it was read from."""
        return self.end - self.offset


def parse_line(raw: bytes, offset: int) -> Record | Damage:
    """Read one line that was found at byte `offset`. Never raises, whatever the bytes."""
    end = offset + len(raw)
    text, repaired = _text(raw)
    try:
        decoded = decode(text)
    except TooDeepError:
        return Damage(offset, end, Reason.TOO_DEEP)
    except ValueError:
        return Damage(offset, end, _why_not_json(raw, text))
    if decoded.end != len(text):
        return Damage(offset, end, _why_not_json(raw, text))
    record = _record(decoded, text, offset, end, repaired)
    return record or Damage(offset, end, Reason.NOT_OBJECT)


def is_whole_line(record: Record) -> bool:
    """Tell a line of Claude Code from an object that was nested in a torn one: those name no session."""
    return bool(record.type) and (record.session_id is not None or "leafUuid" in record.data)


def salvage(raw: bytes, offset: int, is_whole: Callable[[Record], bool] = is_whole_line) -> list[Record]:
    """Find the whole records inside a line that is no JSON by itself; `is_whole` tells them from parts of others.

    A client killed while writing leaves a line without its newline, and some versions (2.1.197 for one)
    append the next line right behind it when the session is resumed. The records get the whole line's bounds.
    Gives up after work in proportion to the line's length: a torn one nests only a few unfinished objects.
    """
    text, _ = _text(raw)
    found: list[Record] = []
    budget = _SALVAGE_BUDGET + 3 * len(text)
    position = 0
    while budget > 0 and (match := _RECORD_START.search(text, position)):
        start = match.start()
        try:
            decoded = decode(text, start)
        except ValueError:
            position = match.end()
            budget -= len(text) - start + _SALVAGE_OVERHEAD
            continue
        position = decoded.end
        budget -= decoded.end - start + _SALVAGE_OVERHEAD
        record = _record(decoded, text[start:position], offset, offset + len(raw), repaired=0)
        if record and is_whole(record):
            found.append(record)
    return found


def moment(value: object) -> datetime | None:
    """Read an ISO 8601 timestamp as aware UTC; without a zone it is taken as UTC. None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _text(raw: bytes) -> tuple[str, int]:
    """Decode, without padding, and count what had to be replaced or cut.

    NULs around a line are blocks that a crash left unwritten; the client skips them too.
    """
    try:
        text, repaired = raw.decode(), 0
    except UnicodeDecodeError:
        text = raw.decode(errors="replace")
        repaired = text.count(REPLACEMENT) - raw.count(REPLACEMENT.encode())
    stripped = text.strip(_PADDING)
    if "\0" in text and "\0" not in stripped:
        repaired += 1
    return stripped, repaired


def _why_not_json(raw: bytes, text: str) -> Reason:
    if b"\0" in raw and (not text or "\0" in text):
        return Reason.NUL
    try:
        raw.decode()
    except UnicodeDecodeError:
        return Reason.BAD_UTF8
    return Reason.NOT_JSON


def _record(decoded: Decoded, text: str, offset: int, end: int, repaired: int) -> Record | None:
    data = decoded.value
    if not isinstance(data, dict):
        return None
    return Record(
        offset=offset,
        end=end,
        type=_string(data, "type") or "",
        uuid=_string(data, "uuid"),
        parent_uuid=_string(data, "parentUuid"),
        session_id=_string(data, "sessionId"),
        at=moment(data.get("timestamp")),
        client_version=_string(data, "version"),
        cwd=_string(data, "cwd"),
        git_branch=_string(data, "gitBranch"),
        is_sidechain=data.get("isSidechain") is True,
        is_meta=data.get("isMeta") is True,
        data=data,
        digest=blake2b(text.encode(), digest_size=8).hexdigest(),
        repaired=repaired + decoded.repaired,
    )


def _string(data: JsonObject, name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) and value else None
