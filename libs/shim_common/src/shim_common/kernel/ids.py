"""Identifiers: a type prefix and a UUIDv7, so that they sort by time and say what they name."""

import os
import uuid
from typing import Protocol

from shim_common.kernel.clock import Clock, SystemClock

_RANDOM_BITS = 74
_VERSION_7 = 0x7
_RFC_VARIANT = 0b10


class Ids(Protocol):
    """Makes identifiers."""

    def new(self, prefix: str) -> str:
        """Return a fresh identifier such as `ses_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d`."""
        ...


class TimeOrderedIds:
    """UUIDv7 (RFC 9562, section 5.7) in hexadecimal behind a prefix."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()

    def new(self, prefix: str) -> str:
        """Return a fresh identifier with this prefix."""
        return f"{prefix}_{uuid7(self._clock).hex}"


class SequentialIds:
    """Predictable identifiers for tests: `ses_1`, `ses_2`, `ckp_3` ..."""

    def __init__(self) -> None:
        self._count = 0

    def new(self, prefix: str) -> str:
        """Return the next identifier with this prefix."""
        self._count += 1
        return f"{prefix}_{self._count}"


def uuid7(clock: Clock) -> uuid.UUID:
    """Return a UUIDv7: 48 bits of milliseconds, then 74 random bits."""
    milliseconds = int(clock.now().timestamp() * 1000) & ((1 << 48) - 1)
    random = int.from_bytes(os.urandom(10)) & ((1 << _RANDOM_BITS) - 1)
    value = milliseconds << 80 | _VERSION_7 << 76 | (random >> 62) << 64
    value |= _RFC_VARIANT << 62 | random & ((1 << 62) - 1)
    return uuid.UUID(int=value)
