"""The storm guard: one bucket of tokens for all restarts of a machine."""

from pydantic import BaseModel, ConfigDict, Field

from shim_supervision.moments import Now, Stamp

RESTARTS_AT_ONCE = 5
"""Restarts that go through together: a handful of sessions killed at once comes back at once."""
RESTARTS_PER_S = 0.5
"""Restarts a second after that, so that fifty sessions in a crash loop cost less than one a second in total."""
_ROUNDING = 1e-9
"""So that whoever waits for exactly as long as told is not told to wait again."""


class TokenBucket(BaseModel):
    """Grants a restart for each token; tokens come back at a steady rate, up to `capacity`.

    Owners keep it on disk: `model_dump_json` writes it, `model_validate_json` reads it (`ValueError` for anything
    else). While nobody knows how much time went by (another boot, a clock that went back), no token came back.
    """

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    capacity: float = Field(RESTARTS_AT_ONCE, ge=1)
    per_s: float = Field(RESTARTS_PER_S, gt=0)
    tokens: float = Field(RESTARTS_AT_ONCE, ge=0)
    filled: Stamp | None = None

    def take(self, now: Now) -> tuple[bool, float]:
        """Take a token: (True, 0.0), or (False, the seconds until there will be one)."""
        self._fill(now)
        if self.tokens >= 1 - _ROUNDING:
            self.tokens = max(0.0, self.tokens - 1)
            return True, 0.0
        return False, (1 - self.tokens) / self.per_s

    def _fill(self, now: Now) -> None:
        passed = None if self.filled is None else now.seconds_since(self.filled)
        self.tokens = min(self.capacity, self.tokens + (passed or 0.0) * self.per_s)
        self.filled = now.stamp()
