"""Keys: 256 random bits behind a readable prefix, stored as a keyed hash, compared in constant time."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime

from shim_common.contracts.access import Key, Scope

_RANDOM_BYTES = 32
_SHOWN = 6
"""Characters of the random part that are shown to tell keys apart; they give away 36 of 256 bits."""


@dataclass(frozen=True)
class KeptKey:
    """A key as it is stored: its hash, never the secret."""

    id: str
    name: str
    prefix: str
    hash: bytes
    scopes: frozenset[Scope]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def holds(self, now: datetime) -> bool:
        """Whether the key still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def public(self) -> Key:
        """Return what may be shown."""
        return Key(
            id=self.id,
            name=self.name,
            prefix=self.prefix,
            scopes=sorted(self.scopes),
            created_at=self.created_at,
            expires_at=self.expires_at,
            revoked_at=self.revoked_at,
        )


def new_secret(kind: str) -> str:
    """Return a fresh secret such as `shim_ingest_...`; the kind only helps people to tell files apart."""
    return f"shim_{kind}_{secrets.token_urlsafe(_RANDOM_BYTES)}"


def prefix_of(secret: str) -> str:
    """Return the part of a secret that may be shown."""
    kind, _, random = secret.removeprefix("shim_").partition("_")
    return f"shim_{kind}_{random[:_SHOWN]}"


def hash_of(secret: str, pepper: bytes) -> bytes:
    """Return the hash under which a key is found: a copy of the table alone cannot be tried out."""
    return hmac.new(pepper, secret.encode(), hashlib.sha256).digest()
