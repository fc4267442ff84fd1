"""What the gateway's use cases need from the outside."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol

from shim_common.contracts.access import AuditRow
from shim_common.contracts.base import JsonObject
from shim_gateway.domain.keys import KeptKey

WriteKeyFile = Callable[[str, str], None]
"""Puts a built-in key's secret into the file with this name, in the place of the one there."""


class Unit(Protocol):
    """One transaction over keys and the audit log."""

    async def by_hash(self, key_hash: bytes) -> KeptKey | None:
        """Return the key with this hash."""
        ...

    async def find(self, key_id: str) -> KeptKey | None:
        """Return the key with this id, locked."""
        ...

    async def page(self, before: str | None, limit: int) -> list[KeptKey]:
        """Return keys, newest first."""
        ...

    async def add(self, key: KeptKey) -> None:
        """Store a key; one with the same hash stays as it is."""
        ...

    async def replace_hash(self, key_id: str, prefix: str, key_hash: bytes) -> None:
        """Give a key another secret."""
        ...

    async def revoke(self, key_id: str, at: datetime) -> None:
        """Let a key open nothing any more."""
        ...

    async def audit(
        self,
        actor: str,
        action: str,
        subject: str,
        at: datetime,
        before: JsonObject | None,
        after: JsonObject | None,
    ) -> None:
        """Write down who changed what."""
        ...

    async def audit_page(self, before: int | None, limit: int) -> Sequence[AuditRow]:
        """Return rows of the audit log, newest first."""
        ...


class Store(Protocol):
    """The durable store."""

    def begin(self) -> AbstractAsyncContextManager[Unit]:
        """Open a transaction: committed at the end, or nothing of it happened."""
        ...
