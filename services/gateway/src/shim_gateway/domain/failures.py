"""A limit on failed attempts to authenticate."""

from collections import deque
from dataclasses import dataclass, field

WINDOW = 60.0
"""Seconds that a failure counts."""
MOST = 30
"""Failures in the window from one address before it has to wait."""
_MOST_ADDRESSES = 1000


@dataclass
class Failures:
    """Failed attempts by address, the newest addresses only."""

    _by_address: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, address: str, now: float) -> float:
        """Return the seconds until the address may try again, 0 if it may."""
        failed = self._by_address.get(address)
        if failed is None:
            return 0.0
        while failed and now - failed[0] > WINDOW:
            failed.popleft()
        return WINDOW - (now - failed[0]) if len(failed) >= MOST else 0.0

    def add(self, address: str, now: float) -> None:
        """Note a failure."""
        failed = self._by_address.setdefault(address, deque(maxlen=MOST))
        failed.append(now)
        while len(self._by_address) > _MOST_ADDRESSES:
            self._by_address.pop(next(iter(self._by_address)))
