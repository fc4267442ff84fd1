"""How long to wait before trying again."""

import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Backoff:
    """Exponential back-off with full jitter: a wait is drawn from [0, min(cap, base * 2**attempt)] seconds.

    Full jitter spreads clients that failed together further apart than any other scheme
    (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """

    base: float = 0.1
    cap: float = 5.0

    def waits(self, rng: random.Random | None = None) -> Iterator[float]:
        """Yield the seconds to wait, without end."""
        draw = rng or random.Random()  # noqa: S311 - spreading load, not keeping secrets
        attempt = 0
        while True:
            yield draw.uniform(0, min(self.cap, self.base * 2 ** min(attempt, 30)))
            attempt += 1
