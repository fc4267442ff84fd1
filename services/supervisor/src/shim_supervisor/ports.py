"""What the use cases need from the outside."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import Attempt, IncidentState, Policy, WatchState
from shim_common.kernel.idempotency import Requests
from shim_supervisor.domain.incident import KeptIncident
from shim_supervisor.domain.watch import KeptWatch


@dataclass(frozen=True)
class IncidentFilter:
    """Which incidents a listing shows."""

    state: IncidentState | None = None
    session: str | None = None


class Watches(Protocol):
    """Watched processes."""

    async def lock(self, client: str, session: str) -> None:
        """Wait until nobody else changes what is known of this session, and keep others waiting."""
        ...

    async def find(self, watch_id: str, *, lock: bool = False) -> KeptWatch | None:
        """Return the watch with this id; `lock` also locks its session."""
        ...

    async def of_process(self, client: str, session: str, process: ProcessRef) -> KeptWatch | None:
        """Return the watch of this process for this session."""
        ...

    async def has_newer(self, watch: KeptWatch) -> bool:
        """Whether a process that was made later runs the same session."""
        ...

    async def create(self, watch: KeptWatch) -> None:
        """Store a new watch."""
        ...

    async def save(self, watch: KeptWatch) -> None:
        """Store where the watch stands."""
        ...

    async def page(
        self, state: WatchState | None, silent_before: datetime, before: int | None, limit: int
    ) -> list[KeptWatch]:
        """Return watches, newest first. Those not seen since `silent_before` are unknown."""
        ...


class Incidents(Protocol):
    """Incidents and the attempts to end them."""

    async def find(self, incident_id: str, *, lock: bool = False) -> KeptIncident | None:
        """Return the incident with this id."""
        ...

    async def of_watch(self, watch: KeptWatch) -> KeptIncident | None:
        """Return the incident of a watch; a process ends once, so there is one at most."""
        ...

    async def standing_before(self, watch: KeptWatch) -> list[KeptIncident]:
        """Return and lock the incidents of this watch's session that are not closed, of processes made earlier."""
        ...

    async def create(self, incident: KeptIncident) -> None:
        """Store a new incident."""
        ...

    async def save(self, incident: KeptIncident) -> None:
        """Store where the incident stands."""
        ...

    async def add_attempt(self, incident: KeptIncident, attempt: Attempt) -> None:
        """Store a try to end the incident."""
        ...

    async def page(self, wanted: IncidentFilter, before: int | None, limit: int) -> list[KeptIncident]:
        """Return incidents, newest first."""
        ...


class Policies(Protocol):
    """Restart policies that somebody set."""

    async def all(self) -> list[Policy]:
        """Return every policy, by name."""
        ...

    async def lock(self) -> None:
        """Wait until nobody else changes policies, and keep others waiting."""
        ...

    async def find(self, name: str) -> Policy | None:
        """Return the policy with this name."""
        ...

    async def put(self, policy: Policy) -> None:
        """Store a policy under its name."""
        ...

    async def delete(self, name: str) -> None:
        """Remove a policy."""
        ...


class Reports(Protocol):
    """Ids of the reports that were taken."""

    async def take(self, report_id: str, subject: str, at: datetime) -> str | None:
        """Take a report about a subject: None if it is new, else the subject it was taken for."""
        ...


class Unit(Protocol):
    """One transaction: committed at the end, or nothing of it happened."""

    @property
    def watches(self) -> Watches:
        """Watched processes."""
        ...

    @property
    def incidents(self) -> Incidents:
        """Incidents."""
        ...

    @property
    def policies(self) -> Policies:
        """Policies."""
        ...

    @property
    def reports(self) -> Reports:
        """Reports."""
        ...

    @property
    def requests(self) -> Requests:
        """Kept answers."""
        ...

    async def publish(self, events: Sequence[Event]) -> None:
        """Write events to the outbox."""
        ...

    async def audit(
        self, actor: str, action: str, subject: str, at: datetime, before: JsonObject | None, after: JsonObject | None
    ) -> None:
        """Write down who changed what."""
        ...


class Store(Protocol):
    """The durable store."""

    def begin(self) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction: committed at the end, or nothing of it happened."""
        ...

    def look(self) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction that only reads: everything in it is of one moment."""
        ...


class Upkeep(Protocol):
    """The store as housekeeping sees it; every call is a transaction of its own."""

    async def forget(self, history_before: datetime, answers_before: datetime) -> list[str]:
        """Delete old watches with their incidents, old reports and kept answers; say what went."""
        ...


Redact = Callable[[JsonObject], JsonObject]
"""Takes secrets out of a JSON object, keeping its shape."""

Ring = Callable[[], None]
"""Says that events were committed."""
