"""Says whether and when a client that ended is started again. Pure: time, chance and facts are given in."""

from shim_supervision.breaker import Breaker, breaker_of
from shim_supervision.bucket import RESTARTS_AT_ONCE, RESTARTS_PER_S, TokenBucket
from shim_supervision.ends import classify
from shim_supervision.facts import Facts
from shim_supervision.groups import Plan, plan
from shim_supervision.history import History
from shim_supervision.moments import Now, Stamp
from shim_supervision.rules import decide, longest_backoff

__all__ = [
    "RESTARTS_AT_ONCE",
    "RESTARTS_PER_S",
    "Breaker",
    "Facts",
    "History",
    "Now",
    "Plan",
    "Stamp",
    "TokenBucket",
    "breaker_of",
    "classify",
    "decide",
    "longest_backoff",
    "plan",
]
