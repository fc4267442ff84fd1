"""Ends, facts and moments, as short as tests need them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import Decision, End, EndKind, Owner, Policy
from shim_supervision import Facts, History, Now, decide

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROCESS = ProcessRef(pid=4711, created=1_795_000_000.5)


def at(seconds: float = 0, *, wall_s: float | None = None, boot: str = "b1") -> Now:
    """The moment so many seconds after the start; `wall_s` sets the wall clock apart."""
    wall = START + timedelta(seconds=seconds if wall_s is None else wall_s)
    return Now(wall=wall, monotonic=1000 + seconds, boot=boot)


def end(kind: EndKind = EndKind.KILLED, **fields: Any) -> End:
    """An end."""
    return End(process=PROCESS, observed_at=START, kind=kind, **fields)


def facts(**fields: Any) -> Facts:
    """A client that `shim run` started and decides about."""
    base = {"managed_by": Owner.RUN, "decider": Owner.RUN, "started_under_shim": True, "lived_s": 0.5}
    return Facts(**{**base, **fields})


def fail(
    history: History,
    now: Now,
    *,
    policy: Policy | None = None,
    kind: EndKind = EndKind.KILLED,
    draw: float = 1.0,
    **fields: Any,
) -> tuple[Decision, History]:
    """Decide about a failure."""
    return decide(policy or Policy(), history, end(kind), facts=facts(**fields), now=now, draw=draw)


def tripped(now: Now, policy: Policy | None = None) -> History:
    """The history of a client whose breaker has just opened."""
    history = History()
    for _ in range((policy or Policy()).intensity + 1):
        decision, history = fail(history, now, policy=policy)
    assert decision.step == "escalate"
    return history
