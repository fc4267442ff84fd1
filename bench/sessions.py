"""Real sessions as batches for the benches: one batch of messages per tool result."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import EntryKind, NewEntry
from shim_transcripts import EntryReader

ROOT = Path(__file__).resolve().parent.parent
TRANSCRIPTS = ROOT.parent / "shared" / "data" / "transcripts"
LARGE = ("25_730c662552_0.jsonl.gz", "cd_95adddad32_0.jsonl.gz")
"""Two sessions with 427 tool results together."""

_KEPT_NAMES = frozenset(
    ("type", "role", "id", "tool_use_id", "name", "model", "version", "uuid", "parentUuid", "sessionId", "timestamp")
)
_WORD = re.compile(r"[A-Za-z]{3,}")
Batch = list[NewEntry]


@dataclass(frozen=True)
class Recorded:
    """A recorded session."""

    name: str
    batches: list[Batch]

    @property
    def entries(self) -> list[NewEntry]:
        """All entries in order."""
        return [entry for batch in self.batches for entry in batch]


def load(path: Path) -> Recorded:
    """Read the messages of a transcript."""
    reader = EntryReader()
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    placed = [*reader.feed(raw), *reader.finish()]
    batches: list[Batch] = [[]]
    for item in placed:
        entry = item.entry
        if entry.kind != "message":
            continue
        batches[-1].append(NewEntry(key=entry.key, kind=EntryKind.MESSAGE, at=entry.at, body=entry.body))
        if _brings_result(entry.body):
            batches.append([])
    return Recorded(path.name.split(".")[0], [batch for batch in batches if batch])


def every() -> list[Path]:
    """Return all recorded transcripts that are there."""
    return sorted(TRANSCRIPTS.glob("*.jsonl.gz")) + sorted(TRANSCRIPTS.glob("many/*.jsonl.gz"))


def of_length(checkpoints: int) -> list[Batch]:
    """Return that many batches: the large sessions, then salted copies of them."""
    originals = [batch for name in LARGE for batch in load(TRANSCRIPTS / name).batches]
    batches: list[Batch] = []
    copy = 0
    while len(batches) < checkpoints:
        batches.extend(originals if copy == 0 else list(_salted(originals, copy)))
        copy += 1
    return batches[:checkpoints]


def messages(batches: list[Batch]) -> list[list[JsonObject]]:
    """Return the plain messages of batches, as other stores get them."""
    return [
        [
            {"uuid": e.key, "ts": e.at.isoformat(), "type": e.body.get("type"), "message": e.body["message"]}
            for e in batch
        ]
        for batch in batches
    ]


def _brings_result(body: JsonObject) -> bool:
    content = body.get("message", {}).get("content")
    return isinstance(content, list) and any(b.get("type") == "tool_result" for b in content if isinstance(b, dict))


def _salted(originals: list[Batch], copy: int) -> Iterator[Batch]:
    """Yield a copy in which every word is another one of the same length, so that nothing dedupes for free."""
    words: dict[str, str] = {}

    def other(match: re.Match[str]) -> str:
        word = match.group()
        if word not in words:
            digest = hashlib.sha256(f"{copy}:{word}".encode()).hexdigest()
            letters = "".join(chr(ord("a") + int(digest[i % 64], 16)) for i in range(len(word)))
            words[word] = letters
        return words[word]

    for batch in originals:
        yield [_changed(entry, copy, other) for entry in batch]


def _changed(entry: NewEntry, copy: int, other: object) -> NewEntry:
    body = _with_other_words(entry.body, other)
    return NewEntry(key=f"{entry.key}-{copy}", kind=entry.kind, at=entry.at, body=body)


def _with_other_words(value: JsonObject, other: object) -> JsonObject:
    """Change words in strings, but not in names, ids, types and roles, which the store reads."""

    def walk(item: object, key: str = "") -> object:
        if isinstance(item, dict):
            return {name: walk(inner, name) for name, inner in item.items()}
        if isinstance(item, list):
            return [walk(inner, key) for inner in item]
        if isinstance(item, str) and key not in _KEPT_NAMES:
            return _WORD.sub(other, item)  # type: ignore[call-overload]
        return item

    return orjson.loads(orjson.dumps(walk(value)))
