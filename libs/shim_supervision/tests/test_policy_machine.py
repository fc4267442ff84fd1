"""The policy under any course of events: restarts, waits, reboots, clocks that jump, disks that forget nothing."""

from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from shim_common.contracts.supervision import Decision, EndKind, Policy, RestartMode, Step
from shim_supervision import Breaker, History, Now, breaker_of, decide, longest_backoff

from .building import START, end, facts

_FAILURES = st.sampled_from([EndKind.KILLED, EndKind.FAILED])
_DRAWS = st.floats(0, 1)


class Supervised(RuleBasedStateMachine):
    """One client of `shim run`, held against a plain account of what it went through."""

    @initialize(
        intensity=st.integers(1, 6),
        window_s=st.floats(1, 600),
        stable_s=st.floats(1, 300),
        cool_down_s=st.floats(1, 1000),
        mode=st.sampled_from([RestartMode.ON_FAILURE, RestartMode.ALWAYS]),
    )
    def begin(self, intensity: int, window_s: float, stable_s: float, cool_down_s: float, mode: RestartMode) -> None:
        self.policy = Policy(
            intensity=intensity, window_s=window_s, stable_s=stable_s, cool_down_s=cool_down_s, mode=mode
        )
        self.history = History()
        self.now = Now(wall=START, monotonic=1000.0, boot="b0")
        self.boots = 0
        self.unstable: list[float] = []  # lives since the last stable run, that ended in a failure
        self.told = False  # a person was told since the last stable run
        self.cooled_from: float | None = None

    def ends(self, kind: EndKind, lived_s: float | None, draw: float, **fields: object) -> Decision:
        reread = History.model_validate_json(self.history.model_dump_json())
        assert reread == self.history
        decision, self.history = decide(
            self.policy, reread, end(kind, **fields), facts=facts(lived_s=lived_s), now=self.now, draw=draw
        )
        if kind is EndKind.CLOSED or (lived_s is not None and lived_s >= self.policy.stable_s):
            self.unstable, self.told, self.cooled_from = [], False, None
        return decision

    def passes(self, seconds: float) -> None:
        self.now = Now(self.now.wall + timedelta(seconds=seconds), self.now.monotonic + seconds, self.now.boot)

    @rule(kind=_FAILURES, lived_s=st.none() | st.floats(0, 600), draw=_DRAWS)
    def fails(self, kind: EndKind, lived_s: float | None, draw: float) -> None:
        self.passes(lived_s or 0.0)
        decision = self.ends(kind, lived_s, draw)
        self.unstable.append(lived_s or 0.0)
        if self.told:
            assert decision.step is Step.SUPPRESS
            assert 0 < decision.wait_s <= self.policy.cool_down_s
        elif self.in_window() > self.policy.intensity:
            assert (decision.step, decision.wait_s) == (Step.ESCALATE, self.policy.cool_down_s)
            self.told = True
        else:
            assert decision.step is Step.RESTART
            assert 0 <= decision.wait_s <= longest_backoff(self.policy, len(self.unstable))
        assert decision.next_try_at is not None  # whatever happens, a try is due some day

    def in_window(self) -> int:
        """Failures that are at most a window of running time old, counted from the lives themselves."""
        count, age = 0, 0.0
        for lived_s in reversed(self.unstable):
            if age > self.policy.window_s:
                break
            count += 1
            age += lived_s
        return count

    @rule(draw=_DRAWS)
    def its_owner_waits_until_the_try_is_due(self, draw: float) -> None:
        if self.history.opened is None:
            return
        self.passes(self.policy.cool_down_s)
        assert breaker_of(self.policy, self.history, self.now) is Breaker.HALF_OPEN

    @rule(extra_s=st.floats(0, 500), draw=_DRAWS)
    def runs_stably_and_fails(self, extra_s: float, draw: float) -> None:
        lived_s = self.policy.stable_s + extra_s
        self.passes(lived_s)
        decision = self.ends(EndKind.KILLED, lived_s, draw)
        self.unstable.append(0.0)
        assert (decision.step, decision.wait_s) == (Step.RESTART, 0.0)

    @rule(lived_s=st.floats(0, 600), draw=_DRAWS, ahead_s=st.none() | st.floats(-1e6, 1e7))
    def reaches_a_limit(self, lived_s: float, draw: float, ahead_s: float | None) -> None:
        before = self.history
        resets_at = None if ahead_s is None else self.now.wall + timedelta(seconds=ahead_s)
        decision = self.ends(EndKind.USAGE_LIMIT, lived_s, draw, resets_at=resets_at)
        assert decision.step is Step.WAIT
        assert decision.wait_s > 0
        assert self.history == (History() if lived_s >= self.policy.stable_s else before)

    @rule(lived_s=st.none() | st.floats(0, 600), draw=_DRAWS)
    def is_closed(self, lived_s: float | None, draw: float) -> None:
        decision = self.ends(EndKind.CLOSED, lived_s, draw)
        assert (decision.step, decision.next_try_at) == (Step.LEAVE, None)

    @rule(seconds=st.floats(0, 5000))
    def time_passes(self, seconds: float) -> None:
        self.passes(seconds)

    @rule(seconds=st.floats(-1e8, 1e8))
    def the_wall_clock_jumps(self, seconds: float) -> None:
        self.now = Now(START + timedelta(seconds=seconds), self.now.monotonic, self.now.boot)

    @rule(uptime_s=st.floats(0, 10_000))
    def the_machine_reboots(self, uptime_s: float) -> None:
        self.boots += 1
        self.now = Now(self.now.wall, uptime_s, f"b{self.boots}")
        if self.history.opened is not None:
            assert breaker_of(self.policy, self.history, self.now) is Breaker.OPEN

    @invariant()
    def the_history_stays_small(self) -> None:
        if hasattr(self, "history"):
            assert len(self.history.failures) <= self.policy.intensity + 1
            assert (self.history.opened is not None) == self.told


TestSupervised = Supervised.TestCase
TestSupervised.settings = settings(stateful_step_count=40)
