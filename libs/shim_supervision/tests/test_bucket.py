"""The storm guard: so many restarts at once, and a steady rate after that."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from shim_common.contracts.supervision import Policy, Step
from shim_supervision import RESTARTS_AT_ONCE, History, Now, TokenBucket

from .building import START, at, fail


def test_a_handful_at_once_and_then_one_every_two_seconds() -> None:
    bucket = TokenBucket()

    assert [bucket.take(at())[0] for _ in range(7)] == [True] * RESTARTS_AT_ONCE + [False] * 2
    assert bucket.take(at()) == (False, 2.0)
    assert bucket.take(at(1)) == (False, 1.0)
    assert bucket.take(at(2)) == (True, 0.0)


def test_it_fills_up_to_its_capacity() -> None:
    bucket = TokenBucket()
    while bucket.take(at())[0]:
        pass

    assert [bucket.take(at(10_000))[0] for _ in range(6)] == [True] * 5 + [False]


@pytest.mark.parametrize("now", [at(1e6, boot="b2"), at(-10), at(0)], ids=["reboot", "back", "still"])
def test_unknown_time_brings_no_token_back(now: Now) -> None:
    bucket = TokenBucket(tokens=0)
    bucket.take(at())

    assert bucket.take(now) == (False, 2.0)
    assert bucket.take(Now(now.wall, now.monotonic + 2, now.boot))[0]


@given(st.floats(0.01, 100), st.floats(1, 50), st.floats(0, 0.99))
def test_who_waits_as_long_as_told_is_not_sent_away(per_s: float, capacity: float, tokens: float) -> None:
    bucket = TokenBucket(per_s=per_s, capacity=capacity, tokens=tokens)
    granted, wait_s = bucket.take(at())

    assert not granted
    assert bucket.take(at(wait_s))[0]


def test_a_bucket_from_disk_is_the_one_that_was_kept() -> None:
    bucket = TokenBucket(capacity=3, per_s=0.25)
    bucket.take(at(1.5))

    again = TokenBucket.model_validate_json(bucket.model_dump_json())

    assert again == bucket
    assert again.take(at(2)) == bucket.take(at(2))


@pytest.mark.parametrize("text", ["", "[]", '{"tokens": -1}', '{"per_s": 0}', '{"capacity": 0}', '{"filled": 3}'])
def test_what_is_no_bucket(text: str) -> None:
    with pytest.raises(ValueError):
        TokenBucket.model_validate_json(text)


class Guarded(RuleBasedStateMachine):
    """Grants never exceed what a bucket filled from the start could have held."""

    @initialize(capacity=st.integers(1, 10), per_s=st.floats(0.05, 5))
    def begin(self, capacity: int, per_s: float) -> None:
        self.bucket = TokenBucket(capacity=capacity, per_s=per_s, tokens=capacity)
        self.now, self.boots, self.known_s, self.grants = 0.0, 0, 0.0, 0

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.known_s += seconds

    @rule(uptime_s=st.floats(0, 1e5))
    def the_machine_reboots(self, uptime_s: float) -> None:
        self.now, self.boots = uptime_s, self.boots + 1

    @rule()
    def somebody_asks(self) -> None:
        self.bucket = TokenBucket.model_validate_json(self.bucket.model_dump_json())
        granted, wait_s = self.bucket.take(Now(START, self.now, f"b{self.boots}"))
        assert granted == (wait_s == 0)
        assert wait_s <= 1 / self.bucket.per_s + 1e-6
        self.grants += granted
        assert self.grants <= self.bucket.capacity + self.known_s * self.bucket.per_s + 1e-3


TestGuarded = Guarded.TestCase
TestGuarded.settings = settings(stateful_step_count=30)


def test_fifty_sessions_in_a_crash_loop() -> None:
    """Under one restart a second in total, one escalation each, and each is tried again without anyone's hand."""
    policy, bucket = Policy(), TokenBucket()
    histories = {name: History() for name in range(50)}
    due = dict.fromkeys(histories, 0.0)
    starts: list[float] = []
    escalated: dict[int, int] = dict.fromkeys(histories, 0)
    tried_after: set[int] = set()
    seconds = 0.0
    while seconds < 1500:
        for name in sorted(histories, key=lambda one: due[one]):
            if due[name] > seconds:
                break
            granted, wait_s = bucket.take(at(seconds))
            if not granted:
                due[name] = seconds + wait_s
                continue
            starts.append(seconds)
            if escalated[name]:
                tried_after.add(name)
            decision, histories[name] = fail(histories[name], at(seconds), policy=policy, lived_s=0.05)
            escalated[name] += decision.step is Step.ESCALATE
            due[name] = seconds + decision.wait_s
        seconds += 0.5

    assert set(escalated.values()) == {1}
    assert tried_after == set(histories)
    assert len(starts) / seconds < 1
    windows = [sum(1 for start in starts if begin <= start < begin + 30) for begin in range(0, 1500, 30)]
    assert max(windows) <= 30
