"""The breaker: open after too many failures, half-open when its cool-down is over, closed by a stable run."""

from enum import StrEnum

from shim_common.contracts.supervision import Policy
from shim_supervision.history import History
from shim_supervision.moments import Now


class Breaker(StrEnum):
    """Where the breaker stands."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


def breaker_of(policy: Policy, history: History, now: Now) -> Breaker:
    """Return where the breaker stands. One that opened nobody knows when has not cooled down."""
    if history.opened is None:
        return Breaker.CLOSED
    age = now.seconds_since(history.opened)
    return Breaker.OPEN if age is None or age < policy.cool_down_s else Breaker.HALF_OPEN
