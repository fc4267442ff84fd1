"""Proving that a session's log holds what was sent: position by position, by hashes over the redacted entries."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from datetime import datetime

from shim_cli.replay.report import Difference, Verification
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import Entry, Integrity
from shim_common.kernel.clock import aware
from shim_common.redaction import redact_json
from shim_transcripts import Entry as SentEntry

SHOWN_DIFFERENCES = 20


class Sent:
    """Remembers what was sent, in 32 bytes an entry. The same key again is the same entry."""

    def __init__(self) -> None:
        self._hashes: dict[str, bytes] = {}
        self.redacted = 0

    def __len__(self) -> int:
        return len(self._hashes)

    def add(self, entry: SentEntry) -> None:
        """Remember an entry, redacted as it will be stored."""
        if entry.key in self._hashes:
            return
        body, findings = redact_json(entry.body)
        self.redacted += len(findings)
        self._hashes[entry.key] = entry_hash(entry.key, entry.kind, entry.at, body)

    def compare(self, stored: Iterable[Entry], integrity: Integrity) -> Verification:
        """Compare the stored log with what was sent."""
        differences = list(self._differences(stored))
        if not integrity.verified:
            differences.append(Difference(0, f"SHIM's own check fails: {integrity.detail}"))
        return Verification(len(self), self.redacted, tuple(differences[:SHOWN_DIFFERENCES]))

    def _differences(self, stored: Iterable[Entry]) -> Iterator[Difference]:
        expected = iter(self._hashes.items())
        position = 0
        for position, entry in enumerate(stored, start=1):
            key, digest = next(expected, (None, b""))
            if key is None:
                yield Difference(position, f"{entry.key} is stored and was never sent")
            elif entry.key != key:
                yield Difference(position, f"{entry.key} is stored where {key} was sent")
            elif entry.position != position:
                yield Difference(position, f"{key} is stored at position {entry.position}")
            elif entry_hash(entry.key, entry.kind.value, entry.at, entry.body) != digest:
                yield Difference(position, f"{key} is stored with another content")
        for key, _ in expected:
            position += 1
            yield Difference(position, f"{key} was sent and is not stored")


def entry_hash(key: str, kind: str, at: datetime, body: object) -> bytes:
    """Return a hash over everything an entry says; equal for equal JSON, however it is written."""
    document: JsonObject = {"key": key, "kind": kind, "at": aware(at).isoformat(), "body": body}
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).digest()
