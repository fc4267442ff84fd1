"""Check 5: what a key is made of, and what is kept of it."""

from base64 import urlsafe_b64decode
from datetime import UTC, datetime, timedelta

import pytest

from shim_common.contracts.access import Scope
from shim_gateway.domain.keys import KeptKey, hash_of, new_secret, prefix_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def kept(secret: str, **more: datetime) -> KeptKey:
    return KeptKey("key_1", "test", prefix_of(secret), hash_of(secret, b"p" * 32), frozenset({Scope.READ}), NOW, **more)


def test_05_a_secret_holds_256_random_bits() -> None:
    secrets = {new_secret("key") for _ in range(100)}
    assert len(secrets) == 100
    for secret in secrets:
        assert len(urlsafe_b64decode(secret.removeprefix("shim_key_") + "=")) * 8 == 256


def test_05_the_hash_needs_the_pepper() -> None:
    secret = new_secret("key")
    assert hash_of(secret, b"a" * 32) != hash_of(secret, b"b" * 32)
    assert len(hash_of(secret, b"a" * 32)) * 8 == 256


@pytest.mark.parametrize("kind", ["admin", "agent", "ingest", "key"])
def test_05_what_is_shown_tells_six_characters_of_the_secret(kind: str) -> None:
    secret = new_secret(kind)
    shown = prefix_of(secret)
    assert secret.startswith(shown)
    assert len(shown) == len(f"shim_{kind}_") + 6


@pytest.mark.parametrize("foreign", ["", "x", "shim_", "shim__", "no-key-of-ours", "shim_a_" + "é" * 50])
def test_05_a_foreign_secret_has_a_prefix_too(foreign: str) -> None:
    assert len(prefix_of(foreign)) <= len(foreign) + len("shim__")


def test_05_a_key_holds_until_it_expires_or_is_revoked() -> None:
    secret, second = new_secret("key"), timedelta(seconds=1)
    assert kept(secret).holds(NOW + timedelta(days=10_000))
    assert kept(secret, expires_at=NOW).holds(NOW - second)
    assert not kept(secret, expires_at=NOW).holds(NOW)
    assert not kept(secret, revoked_at=NOW).holds(NOW - second)


def test_05_what_may_be_shown_of_a_key_is_not_its_hash() -> None:
    secret = new_secret("key")
    shown = kept(secret).public().model_dump_json()
    assert secret not in shown
    assert kept(secret).hash.hex() not in shown
