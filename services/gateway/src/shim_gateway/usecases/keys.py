"""Making, showing, turning and revoking keys; telling who a secret belongs to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shim_common.contracts.access import AuditRow, Key, MadeKey, NewKey, Scope
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Conflict, NotFound, ShimError, Unauthorized, Unprocessable
from shim_common.kernel.ids import Ids
from shim_common.web.tokens import Caller
from shim_gateway.domain.keys import KeptKey, hash_of, new_secret, prefix_of
from shim_gateway.ports import Store, Unit, WriteKeyFile

REMEMBERED = 0.5
"""Seconds that a key is taken at its word before it is looked up again: a revoked key is shut out within them."""

BUILT_IN = {
    "admin": frozenset(Scope),
    "agent": frozenset({Scope.READ, Scope.INGEST, Scope.CONTROL}),
    "ingest": frozenset({Scope.INGEST}),
}
"""Keys made at the first start, by the name of their file."""


@dataclass(frozen=True)
class _Seen:
    key: KeptKey
    at: float


class Keys:
    """All use cases of keys."""

    def __init__(self, store: Store, clock: Clock, ids: Ids, pepper: bytes, write_file: WriteKeyFile) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._pepper = pepper
        self._write_file = write_file
        self._seen: dict[bytes, _Seen] = {}
        self._in_files: dict[bytes, str] = {}

    async def authenticate(self, secret: str) -> Caller:
        """Return who the secret belongs to. While the database is away, keys seen before keep their word.

        Raises:
            Unauthorized: no such key, or it is revoked or expired.
            Unavailable: the database is away and the key was not seen before.
        """
        key_hash = hash_of(secret, self._pepper)
        key = await self._look_up(key_hash)
        if key is None or not key.holds(self._clock.now()):
            raise Unauthorized("the key is not known, revoked or expired; `shim keys list` shows those that hold")
        return Caller(key.id, key.scopes)

    async def _look_up(self, key_hash: bytes) -> KeptKey | None:
        seen, now = self._seen.get(key_hash), self._clock.monotonic()
        if seen is not None and now - seen.at < REMEMBERED:
            return seen.key
        try:
            async with self._store.begin() as unit:
                key = await unit.by_hash(key_hash)
        except ShimError:
            if seen is None:
                raise
            return seen.key
        if key is None:
            self._seen.pop(key_hash, None)
        else:
            self._seen[key_hash] = _Seen(key, now)
        return key

    async def make(self, command: NewKey, actor: str) -> MadeKey:
        """Make a key; its secret is shown this once.

        Raises:
            Unprocessable: it would be expired from the start.
        """
        now = self._clock.now()
        if command.expires_at is not None and command.expires_at <= now:
            raise Unprocessable("expires_at lies in the past", code="expired")
        secret = new_secret("key")
        key = self._kept(secret, command.name, frozenset(command.scopes), command.expires_at)
        async with self._store.begin() as unit:
            await unit.add(key)
            await unit.audit(actor, "key.made", key.id, now, None, _shown(key))
        return MadeKey(**key.public().model_dump(), secret=secret)

    async def page(self, before: str | None, limit: int) -> list[Key]:
        """Return keys, newest first."""
        async with self._store.begin() as unit:
            return [key.public() for key in await unit.page(before, limit)]

    async def rotate(self, key_id: str, actor: str) -> MadeKey:
        """Give a key another secret; the old one opens nothing any more. A built-in key's goes into its file too.

        Raises:
            NotFound: there is no such key.
            Conflict: the key is revoked or expired.
        """
        now = self._clock.now()
        async with self._store.begin() as unit:
            key = await _find(unit, key_id)
            if not key.holds(now):
                raise Conflict("the key is revoked or expired; make a new one", code="key_over")
            name = self._in_files.get(key.hash)
            secret = new_secret(name or "key")
            rotated = replace(key, prefix=prefix_of(secret), hash=hash_of(secret, self._pepper))
            await unit.replace_hash(key_id, rotated.prefix, rotated.hash)
            await unit.audit(actor, "key.rotated", key_id, now, _shown(key), _shown(rotated))
            if name is not None:  # before the commit: a file with the old secret would let it in at the next start
                self._write_file(name, secret)
                self._in_files[rotated.hash] = name
        self._seen.clear()
        return MadeKey(**rotated.public().model_dump(), secret=secret)

    async def revoke(self, key_id: str, actor: str) -> Key:
        """Let a key open nothing any more.

        Raises:
            NotFound: there is no such key.
        """
        now = self._clock.now()
        async with self._store.begin() as unit:
            key = await _find(unit, key_id)
            revoked = replace(key, revoked_at=key.revoked_at or now)
            if key.revoked_at is None:
                await unit.revoke(key_id, now)
                await unit.audit(actor, "key.revoked", key_id, now, _shown(key), _shown(revoked))
        self._seen.clear()
        return revoked.public()

    async def audit_page(self, before: int | None, limit: int) -> Sequence[AuditRow]:
        """Return rows of the audit log, newest first."""
        async with self._store.begin() as unit:
            return await unit.audit_page(before, limit)

    async def admit(self, name: str, secret: str) -> None:
        """Make sure that the secret in a built-in key's file opens what it is for."""
        key = self._kept(secret, name, BUILT_IN[name], None)
        self._in_files[key.hash] = name
        async with self._store.begin() as unit:
            if await unit.by_hash(key.hash) is None:
                await unit.add(key)
                await unit.audit("gateway", "key.made", key.id, self._clock.now(), None, _shown(key))

    def _kept(self, secret: str, name: str, scopes: frozenset[Scope], expires_at: datetime | None) -> KeptKey:
        return KeptKey(
            id=self._ids.new("key"),
            name=name,
            prefix=prefix_of(secret),
            hash=hash_of(secret, self._pepper),
            scopes=scopes,
            created_at=self._clock.now(),
            expires_at=expires_at,
        )


async def _find(unit: Unit, key_id: str) -> KeptKey:
    key = await unit.find(key_id)
    if key is None:
        raise NotFound(f"there is no key {key_id!r}; `shim keys list` shows them", code="key_not_found")
    return key


def _shown(key: KeptKey) -> dict[str, object]:
    return key.public().model_dump(mode="json")
