"""The restart policy, by example."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_common.contracts.supervision import EndKind, Owner, Policy, RestartMode, Step
from shim_supervision import Breaker, History, Now, breaker_of, decide, longest_backoff
from shim_supervision.rules import LONGEST_LIMIT_S

from .building import START, at, end, facts, fail, tripped


def test_the_first_failure_is_not_waited_after() -> None:
    decision, history = fail(History(), at())

    assert (decision.step, decision.wait_s, decision.next_try_at) == (Step.RESTART, 0.0, START)
    assert history.streak == 1


def test_the_backoff_doubles_from_base_to_cap() -> None:
    policy = Policy(intensity=1000)

    bounds = [longest_backoff(policy, streak) for streak in range(13)]

    assert bounds == [0, 0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 60.0]
    assert longest_backoff(policy, 10**9) == 60.0


def test_a_base_above_the_cap_is_capped() -> None:
    assert longest_backoff(Policy(backoff_base_s=60, backoff_cap_s=0.5), 2) == 0.5


@pytest.mark.parametrize("draw", [0.0, 0.25, 1.0])
def test_the_jitter_is_full(draw: float) -> None:
    _, history = fail(History(), at())

    decision, _ = fail(history, at(1), draw=draw)

    assert decision.wait_s == pytest.approx(0.1 * draw)
    assert decision.next_try_at == START + timedelta(seconds=1 + 0.1 * draw)


@pytest.mark.parametrize("draw", [-0.01, 1.01, float("nan")])
def test_a_draw_that_is_none(draw: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        fail(History(), at(), draw=draw)


def test_one_more_than_the_intensity_goes_to_a_person_once() -> None:
    history, steps = History(), []
    for number in range(8):
        decision, history = fail(history, at(number))
        steps.append(decision.step)

    assert steps == [Step.RESTART] * 5 + [Step.ESCALATE] + [Step.SUPPRESS] * 2
    assert "6 failures within 60 s" in fail(tripped_less(), at())[0].why


def tripped_less() -> History:
    history = History()
    for _ in range(5):
        _, history = fail(history, at())
    return history


def test_an_escalation_says_when_the_one_try_is_due() -> None:
    decision, _ = fail(tripped_less(), at(7))

    assert (decision.step, decision.wait_s) == (Step.ESCALATE, 300)
    assert decision.next_try_at == START + timedelta(seconds=307)


def test_an_end_while_the_breaker_is_open_does_not_put_the_try_off() -> None:
    history = tripped(at())

    decision, after = fail(history, at(100))

    assert (decision.step, decision.wait_s) == (Step.SUPPRESS, 200)
    assert after.opened == history.opened


def test_the_breaker_half_opens_by_itself_and_a_failed_try_opens_it_again() -> None:
    policy, history = Policy(), tripped(at())
    assert breaker_of(policy, history, at(299.9)) is Breaker.OPEN
    assert breaker_of(policy, history, at(300)) is Breaker.HALF_OPEN

    decision, history = fail(history, at(301))

    assert (decision.step, decision.wait_s) == (Step.SUPPRESS, 300)
    assert breaker_of(policy, history, at(302)) is Breaker.OPEN
    assert breaker_of(policy, history, at(601)) is Breaker.HALF_OPEN


def test_a_try_that_runs_stably_closes_the_breaker() -> None:
    decision, history = fail(tripped(at()), at(340), lived_s=30)

    assert (decision.step, decision.wait_s) == (Step.RESTART, 0.0)
    assert breaker_of(Policy(), history, at(340)) is Breaker.CLOSED
    assert (history.streak, history.failures) == (1, (0.0,))


def test_a_storm_after_a_stable_run_is_told_of_again() -> None:
    _, history = fail(tripped(at()), at(340), lived_s=31)
    steps = []
    for _ in range(5):
        decision, history = fail(history, at(341))
        steps.append(decision.step)

    assert steps == [Step.RESTART] * 4 + [Step.ESCALATE]


def test_failures_grow_old_by_running_and_not_by_waiting() -> None:
    history = tripped_less()

    waited, _ = fail(history, at(3600), lived_s=1)
    ran, after = fail(history, at(3600), lived_s=61, policy=Policy(stable_s=86_400))

    assert waited.step is Step.ESCALATE
    assert (ran.step, after.failures) == (Step.RESTART, (0.0,))
    assert after.streak == 6


@pytest.mark.parametrize(("lived_s", "left"), [(60.0, 2), (60.5, 1)])
def test_the_window_is_closed_at_its_end(lived_s: float, left: int) -> None:
    _, history = fail(fail(History(), at())[1], at(61), lived_s=lived_s, policy=Policy(stable_s=86_400))

    assert len(history.failures) == left


def test_a_life_of_unknown_length_makes_nothing_old_and_nothing_clean() -> None:
    before = tripped_less()

    decision, history = fail(before, at(10**9), lived_s=None)

    assert decision.step is Step.ESCALATE
    assert history.failures == (*before.failures, 0.0)


@pytest.mark.parametrize("kind", [EndKind.KILLED, EndKind.FAILED, EndKind.LOST, EndKind.USAGE_LIMIT])
@pytest.mark.parametrize("mode", RestartMode)
def test_modes(kind: EndKind, mode: RestartMode) -> None:
    decision, _ = fail(History(), at(), policy=Policy(mode=mode), kind=kind)

    expected = Step.WAIT if kind is EndKind.USAGE_LIMIT else Step.RESTART
    if mode is RestartMode.NEVER:
        expected = Step.LEAVE
    elif mode is RestartMode.ON_FAILURE and kind is EndKind.LOST:
        expected = Step.OFFER
    assert decision.step is expected


@pytest.mark.parametrize("mode", RestartMode)
@pytest.mark.parametrize("adopted", [False, True])
def test_what_was_closed_on_purpose_stays_closed(mode: RestartMode, adopted: bool) -> None:
    policy = Policy(mode=mode, adopted=adopted)

    decision, history = fail(tripped(at()), at(1), policy=policy, kind=EndKind.CLOSED)

    assert (decision.step, decision.next_try_at) == (Step.LEAVE, None)
    assert history == History()


@pytest.mark.parametrize("managed_by", Owner)
@pytest.mark.parametrize("decider", Owner)
def test_only_the_owner_restarts(managed_by: Owner, decider: Owner) -> None:
    decision, history = fail(History(), at(), managed_by=managed_by, decider=decider)

    if managed_by is decider:
        assert decision.step is Step.RESTART
    else:
        assert (decision.step, decision.next_try_at, history) == (Step.LEAVE, None, History())
        assert managed_by.value in decision.why


@pytest.mark.parametrize("fact", [{"started_under_shim": False}, {"after_reboot": True}])
def test_adopted_sessions_and_those_of_before_a_reboot_are_offered(fact: dict[str, bool]) -> None:
    offered, history = fail(History(), at(), **fact)
    automatic, _ = fail(History(), at(), policy=Policy(adopted=True), **fact)

    assert (offered.step, offered.next_try_at, history) == (Step.OFFER, None, History())
    assert automatic.step is Step.RESTART


def test_a_usage_limit_waits_for_the_reset_and_does_not_count() -> None:
    resets_at = START + timedelta(hours=5)
    limit = end(EndKind.USAGE_LIMIT, exit_code=1, resets_at=resets_at)
    history = tripped_less()
    for _ in range(20):
        decision, history = decide(Policy(), history, limit, facts=facts(), now=at(), draw=0.5)
        assert (decision.step, decision.wait_s, decision.next_try_at) == (Step.WAIT, 18_000, resets_at)

    assert history == tripped_less()


@pytest.mark.parametrize("ahead_s", [None, 0.0, -1.0, -1e6, LONGEST_LIMIT_S + 1, 1e9], ids=lambda value: f"{value}")
def test_a_reset_that_cannot_be_true_is_unknown(ahead_s: float | None) -> None:
    resets_at = None if ahead_s is None else START + timedelta(seconds=ahead_s)
    limit = end(EndKind.USAGE_LIMIT, resets_at=resets_at)

    decision, _ = decide(Policy(), History(), limit, facts=facts(), now=at(), draw=0.0)

    assert (decision.step, decision.wait_s) == (Step.WAIT, 300)


def test_a_wall_clock_that_jumps_changes_no_wait() -> None:
    history = tripped(at())

    for wall_s in (-1e9, 0.0, 1e9):
        decision, _ = fail(history, at(100, wall_s=wall_s))
        assert (decision.step, decision.wait_s) == (Step.SUPPRESS, 200)


@pytest.mark.parametrize("now", [at(500, boot="b2"), at(-500, boot="b2"), at(-500)], ids=["later", "earlier", "back"])
def test_after_a_reboot_the_breaker_cools_down_from_the_first_known_moment(now: Now) -> None:
    history = tripped(at())
    assert breaker_of(Policy(), history, now) is Breaker.OPEN

    decision, after = fail(history, now)

    assert (decision.step, decision.wait_s) == (Step.SUPPRESS, 300)
    assert after.opened == now.stamp()


def test_a_history_from_disk_is_the_one_that_was_kept() -> None:
    for history in (History(), tripped_less(), tripped(at())):
        assert History.model_validate_json(history.model_dump_json()) == history


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        '{"streak": -1}',
        '{"failures": [-1]}',
        '{"failures": "x"}',
        '{"opened": {"boot": "b"}}',
        '{"failures": [1e999]}',
    ],
)
def test_what_is_no_history(text: str) -> None:
    with pytest.raises(ValueError):
        History.model_validate_json(text)


def test_a_history_of_a_newer_version_is_read() -> None:
    assert History.model_validate_json('{"streak": 2, "mood": "bad"}') == History(streak=2)


@given(st.floats(0, 1), st.integers(1, 200))
def test_waits_lie_within_base_and_cap(draw: float, streak: int) -> None:
    policy = Policy(intensity=1000)
    decision, _ = fail(History(streak=streak - 1), at(), policy=policy, draw=draw)

    assert 0 <= decision.wait_s <= min(policy.backoff_cap_s, policy.backoff_base_s * 2 ** min(streak, 60))
