"""The restart policy: what is done about an end, and what is remembered of it.

    who asks is not the owner, or closed on purpose, or mode never      LEAVE
    not started under SHIM, or found after a reboot, unless `adopted`   OFFER
    nobody knows how it ended, and the mode is on-failure               OFFER
    a usage limit                                                       WAIT      until it resets; counts for nothing
    the breaker is closed, at most `intensity` failures in the window   RESTART   after full-jitter back-off
    one failure more                                                    ESCALATE  once; the breaker opens
    the breaker is open                                                 SUPPRESS

The owner acts on the decision alone: where `next_try_at` is set, it starts the client once, `wait_s` from now. So the
breaker needs no hand to close it: the decision that opens it says when the one try of the half-open breaker is due.
A try that fails is suppressed and due again a cool-down later; one that runs for `stable_s` has cleaned the slate.
"""

from shim_common.contracts.supervision import Decision, End, EndKind, Policy, RestartMode, Step
from shim_supervision.facts import Facts
from shim_supervision.history import History
from shim_supervision.moments import Now

LONGEST_LIMIT_S = 8 * 86_400.0
"""Usage limits reset after five hours or a week; a moment further away comes from a clock that is wrong."""


def decide(
    policy: Policy, history: History, end: End, *, facts: Facts, now: Now, draw: float
) -> tuple[Decision, History]:
    """Return what is done about an end, and the history to keep for the next one.

    `draw` is a random number from 0 to 1, for the back-off.

    Raises:
        ValueError: `draw` lies elsewhere.
    """
    if not 0 <= draw <= 1:
        raise ValueError(f"draw a number from 0 to 1, not {draw}")
    if _is_clean(policy, end, facts):
        history = History()
    left = _why_left(policy, end, facts)
    if left is not None:
        return Decision(step=Step.LEAVE, why=left), history
    offered = _why_offered(policy, end, facts)
    if offered is not None:
        return Decision(step=Step.OFFER, why=offered), history
    if end.kind is EndKind.USAGE_LIMIT:
        return _wait_for_reset(policy, end, now), history
    return _count(policy, history.failed(policy, facts.lived_s), now, draw)


def longest_backoff(policy: Policy, streak: int) -> float:
    """Return the upper bound of the wait after the `streak`-th failure in a row, in seconds.

    The first is not waited after: most clients that are killed come up at once, and nobody notices.
    """
    if streak <= 1:
        return 0.0
    doublings = min(streak - 2, 1000)  # so that the product stays a number
    return float(min(policy.backoff_cap_s, policy.backoff_base_s * 2**doublings))


def _is_clean(policy: Policy, end: End, facts: Facts) -> bool:
    return end.kind is EndKind.CLOSED or (facts.lived_s is not None and facts.lived_s >= policy.stable_s)


def _why_left(policy: Policy, end: End, facts: Facts) -> str | None:
    if facts.decider is not facts.managed_by:
        return f"its owner is {facts.managed_by.value!r}, which alone may start it again"
    if end.kind is EndKind.CLOSED:
        return "it was closed on purpose"
    if policy.mode is RestartMode.NEVER:
        return f"the policy {policy.name!r} never starts a client again"
    return None


def _why_offered(policy: Policy, end: End, facts: Facts) -> str | None:
    if not facts.started_under_shim and not policy.adopted:
        return "it was not started under SHIM, so it is started again only when asked for"
    if facts.after_reboot and not policy.adopted:
        return "the machine was started anew, so it is started again only when asked for"
    if end.kind is EndKind.LOST and policy.mode is RestartMode.ON_FAILURE:
        return "nobody saw how it ended, so it is not known to have failed"
    return None


def _wait_for_reset(policy: Policy, end: End, now: Now) -> Decision:
    ahead = None if end.resets_at is None else (end.resets_at - now.wall).total_seconds()
    if ahead is None or not 0 < ahead <= LONGEST_LIMIT_S:
        return _try_after(policy.cool_down_s, now, Step.WAIT, "a usage limit is reached; when it resets is not known")
    return _try_after(ahead, now, Step.WAIT, "a usage limit is reached; it resets then")


def _count(policy: Policy, history: History, now: Now, draw: float) -> tuple[Decision, History]:
    if history.opened is not None:
        return _suppress(policy, history, now.seconds_since(history.opened), now)
    count = len(history.failures)
    if count > policy.intensity:
        why = f"{count} failures within {policy.window_s:g} s of running, {policy.intensity} are allowed: see to it"
        return _try_after(policy.cool_down_s, now, Step.ESCALATE, why), history.opened_at(now.stamp())
    wait_s = draw * longest_backoff(policy, history.streak)
    return _try_after(wait_s, now, Step.RESTART, f"failure {count} of {policy.intensity} that are allowed"), history


def _suppress(policy: Policy, history: History, open_s: float | None, now: Now) -> tuple[Decision, History]:
    """Open since nobody knows when, the breaker cools down from now on, just as after a try that failed."""
    if open_s is None or open_s >= policy.cool_down_s:
        history, open_s = history.opened_at(now.stamp()), 0.0
    why = "it failed too often and cools down; a person was told before"
    return _try_after(policy.cool_down_s - open_s, now, Step.SUPPRESS, why), history


def _try_after(wait_s: float, now: Now, step: Step, why: str) -> Decision:
    return Decision(step=step, wait_s=wait_s, why=why, next_try_at=now.after(wait_s))
