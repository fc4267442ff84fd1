"""What the use cases need from the outside."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from shim_checkpointer.domain.passages import Passage
from shim_checkpointer.domain.pending import Observation
from shim_checkpointer.domain.query import SearchQuery
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.domain.signals import Raised
from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import Checkpoint, SessionSource, Signal, Snapshot, SourceSpan, Trigger
from shim_common.kernel.idempotency import Requests


@dataclass(frozen=True)
class SessionFilter:
    """Which sessions a listing shows."""

    project: str | None = None
    state: str | None = None
    client: str | None = None
    tool_use_id: str | None = None


@dataclass(frozen=True)
class Manifest:
    """A stored snapshot with its own part of the manifest, as JSON."""

    snapshot: Snapshot
    base: UUID | None
    document: JsonObject


class Sessions(Protocol):
    """Sessions and their moving state."""

    async def find(self, sid: str, *, lock: bool = False) -> Kept | None:
        """Return the session with this id, SHIM's or the client's own."""
        ...

    async def of_client(self, client: str, client_session_id: str) -> Kept | None:
        """Return and lock a client's session."""
        ...

    async def create(self, session: Kept) -> bool:
        """Store a new session; False if its client id is taken."""
        ...

    async def save(self, session: Kept) -> None:
        """Store where the session stands."""
        ...

    async def page(self, wanted: SessionFilter, before: int | None, limit: int) -> list[Kept]:
        """Return sessions, newest first."""
        ...

    async def silent_since(self, moment: datetime) -> list[str]:
        """Return the ids of active sessions that were last seen before the moment."""
        ...

    async def of_process(self, client: str, pid: int, but: str) -> Kept | None:
        """Return the newest session of this client process that is active or was cleared, other than the one named."""
        ...

    async def delete(self, session: Kept) -> None:
        """Remove everything stored of a session."""
        ...


class Log(Protocol):
    """The entries of a session."""

    async def stored(self, session: Kept, keys: Sequence[bytes], file: str | None) -> tuple[set[bytes], int]:
        """Return those of the keys that are among the fresh entries, and how far a file is stored."""
        ...

    async def add(
        self, session: Kept, entries: Sequence[tuple[bytes, bytes]], source: SourceSpan | None = None
    ) -> None:
        """Store entries, as (key, packed body), behind the present end, and how far their source is stored now."""
        ...

    async def read(self, session: Kept, after: int, limit: int) -> list[bytes]:
        """Return canonical entries from a position on, oldest first."""
        ...

    async def sealed(self, session: Kept) -> list[bytes]:
        """Return all sealed entries."""
        ...

    async def seal(self, session: Kept, block: bytes, last: int) -> None:
        """Put a block in the place of the fresh entries up to a position."""
        ...

    async def sources(self, session: Kept) -> list[SessionSource]:
        """Return all files of a session and how far they are stored."""
        ...


@dataclass(frozen=True)
class PassageFilter:
    """Which passages a search looks through: `since` <= their time < `until`; `model` is a part of its name."""

    project: str | None = None
    client: str | None = None
    model: str | None = None
    tool: str | None = None
    failed: bool | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Place:
    """A find's place in the order of finds: best first, then newest."""

    rank: float
    at: datetime
    session_no: int
    position: int


@dataclass(frozen=True)
class Found:
    """A passage that was found, and whose it is."""

    passage: Passage
    place: Place
    session_id: str
    client: str
    client_session_id: str
    project: str
    model: str | None


@dataclass(frozen=True)
class Unindexed:
    """A session of whose entries the first are not indexed: those up to a position."""

    session_id: str
    session_no: int
    up_to: int


class Passages(Protocol):
    """What can be searched for."""

    async def add(self, session_no: int, passages: Sequence[Passage]) -> None:
        """Store passages of a session."""
        ...

    async def find(self, query: SearchQuery, wanted: PassageFilter, after: Place | None, limit: int) -> list[Found]:
        """Return finds behind a place, best first; the newest matches are ranked."""
        ...

    async def unindexed(self) -> Unindexed | None:
        """Return a session that was stored before there was an index."""
        ...

    async def claim(self, due: Unindexed) -> bool:
        """Take it off the list of those; False if somebody else did, or the session is gone."""
        ...


class Checkpoints(Protocol):
    """Checkpoints of sessions."""

    async def add(self, session: Kept, checkpoint_id: UUID, at: datetime, trigger: Trigger, note: str | None) -> None:
        """Store a checkpoint of where the session stands."""
        ...

    async def page(self, session: Kept, before: int | None, limit: int) -> list[Checkpoint]:
        """Return checkpoints, newest first."""
        ...

    async def find(self, checkpoint_id: UUID) -> Checkpoint | None:
        """Return a checkpoint."""
        ...


class Hooks(Protocol):
    """What hooks saw."""

    async def add(self, session: Kept, seen: Observation) -> None:
        """Store an observation."""
        ...

    async def uncovered(self, session: Kept) -> list[Observation]:
        """Return the observations that the log does not cover, oldest first."""
        ...

    async def cover(self, session: Kept, subjects: Sequence[str]) -> None:
        """Let go of the bodies that the log holds now."""
        ...

    async def page(self, session: Kept, after: int, limit: int) -> list[tuple[int, Observation]]:
        """Return observations with their numbers, oldest first."""
        ...


class Signals(Protocol):
    """Signals of sessions."""

    async def up(self, session: Kept) -> dict[str, Signal]:
        """Return the signals that are raised now, by name."""
        ...

    async def raise_(self, session: Kept, signal: Raised, at: datetime) -> None:
        """Note that a signal went up."""
        ...

    async def clear(self, session: Kept, name: str, at: datetime) -> None:
        """Note that a signal went down."""
        ...

    async def page(self, session: Kept, before: int | None, limit: int) -> list[tuple[int, Signal]]:
        """Return signals with their numbers, newest first."""
        ...


class Files(Protocol):
    """Contents and snapshots."""

    async def missing(self, hashes: Sequence[bytes]) -> list[bytes]:
        """Return those of the contents that are not stored."""
        ...

    async def hold(self) -> None:
        """Let no clean-up begin until the transaction is over, so that contents found now stay."""
        ...

    async def put(self, sha256: bytes, size: int, at: datetime, key_no: int, body: bytes) -> None:
        """Store a content, or note that it was sent again."""
        ...

    async def get(self, sha256: bytes) -> tuple[int, bytes] | None:
        """Return the number of the key and the encrypted content."""
        ...

    async def add_snapshot(self, session: Kept, manifest: Manifest) -> None:
        """Store a snapshot."""
        ...

    async def snapshot(self, snapshot_id: UUID) -> Manifest | None:
        """Return a snapshot with its own part of the manifest."""
        ...

    async def snapshots(self, session: Kept, limit: int) -> list[Snapshot]:
        """Return snapshots, newest first."""
        ...


class Unit(Protocol):
    """One transaction."""

    @property
    def sessions(self) -> Sessions:
        """Sessions."""
        ...

    @property
    def log(self) -> Log:
        """Logs."""
        ...

    @property
    def passages(self) -> Passages:
        """What can be searched for."""
        ...

    @property
    def checkpoints(self) -> Checkpoints:
        """Checkpoints."""
        ...

    @property
    def hooks(self) -> Hooks:
        """Observations."""
        ...

    @property
    def signals(self) -> Signals:
        """Signals."""
        ...

    @property
    def files(self) -> Files:
        """Files."""
        ...

    @property
    def requests(self) -> Requests:
        """Answers to repeated requests."""
        ...

    async def publish(self, events: Sequence[Event]) -> None:
        """Write events to the outbox."""
        ...

    async def history(self, *, after: str | None, limit: int, types: Sequence[str], session: str | None) -> list[Event]:
        """Return published events, oldest first."""
        ...

    async def audit(self, actor: str, action: str, subject: str, at: datetime, before: JsonObject | None) -> None:
        """Write down who changed what."""
        ...

    async def risk_book(self) -> JsonObject | None:
        """Return what was learnt of compaction thresholds."""
        ...

    async def save_risk_book(self, book: JsonObject) -> None:
        """Keep what was learnt of compaction thresholds."""
        ...


class Store(Protocol):
    """The durable store."""

    def begin(self) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction: committed at the end, or nothing of it happened."""
        ...

    def look(self) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction that only reads: everything in it is of one moment."""
        ...


class Cipher(Protocol):
    """Encrypts file contents at rest."""

    def encrypt(self, plain: bytes, bound_to: bytes) -> tuple[int, bytes]:
        """Return the number of the key used and the encrypted bytes; they decrypt under `bound_to` alone."""
        ...

    def decrypt(self, key_no: int, secret: bytes, bound_to: bytes) -> bytes:
        """Return the content.

        Raises:
            Conflict: the bytes were changed, or the key is gone.
        """
        ...


Redact = Callable[[JsonObject], JsonObject]
"""Takes secrets out of a JSON object, keeping its shape."""

Ring = Callable[[], None]
"""Says that events were committed."""


class Upkeep(Protocol):
    """The store as housekeeping sees it; every call is a transaction of its own."""

    async def to_seal(self, fresh_bytes: int) -> list[str]:
        """Return the sessions whose fresh entries exceed the size, or that are over and not sealed."""
        ...

    async def forget(self, events_before: datetime, answers_before: datetime) -> list[str]:
        """Delete old events and kept answers; say what went."""
        ...

    async def drop_unused_blobs(self, stored_before: datetime) -> list[str]:
        """Delete contents that no snapshot names; say what went."""
        ...

    async def tidy_index(self) -> None:
        """Sort what appends put before the search index into it, so that none of them has to."""
        ...

    async def stored_bytes(self) -> int:
        """Return the bytes that live data takes up."""
        ...

    async def oldest_over(self) -> Kept | None:
        """Return the session that has been over for the longest, one that was interrupted only after all others."""
        ...
