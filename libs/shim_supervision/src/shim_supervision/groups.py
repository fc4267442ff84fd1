"""Who ends and starts together with a client of the same group."""

from collections.abc import Sequence
from dataclasses import dataclass

from shim_common.contracts.supervision import Strategy


@dataclass(frozen=True, slots=True)
class Plan:
    """Members to end, then members to start, each in that order."""

    end: tuple[str, ...]
    start: tuple[str, ...]


def plan(strategy: Strategy, members: Sequence[str], ended: str) -> Plan:
    """Return what is done with a group, given in the order in which it was started, when one member ended.

    With `rest_for_one`, whatever was started after it may lean on it: that ends first, the youngest before the
    others, and is started again behind it in the old order.

    Raises:
        ValueError: `ended` is no member.
    """
    place = list(members).index(ended)
    younger = tuple(members[place + 1 :]) if strategy is Strategy.REST_FOR_ONE else ()
    return Plan(end=younger[::-1], start=(ended, *younger))
