import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_risk import (
    AlarmRule,
    ApiCall,
    Compaction,
    Evidence,
    Observation,
    Pending,
    Risk,
    RiskModel,
    SessionRisk,
    ThresholdBook,
    ThresholdKey,
    estimate_tokens,
)

MODEL = RiskModel()

counts = st.integers(0, 1_200_000) | st.integers(-(10**12), 10**12)
calls = st.builds(
    ApiCall,
    context_tokens=counts,
    output_tokens=counts,
    model=st.none() | st.sampled_from(["claude-opus-4-5", "claude-opus-4-6[1m]", "", "other"]),
    client_version=st.none() | st.sampled_from(["2.1.20", "2.1.40", "2.1.329", "odd"]),
    window=st.none() | st.sampled_from([0, -1, 200_000, 1_000_000]),
    pending_tokens=counts,
)
observations = st.lists(
    calls | st.builds(Pending, counts) | st.builds(Compaction, st.booleans(), st.none() | counts), max_size=15
)


def call(context: int, output: int = 0, pending: int = 0, version: str = "2.1.40") -> ApiCall:
    return ApiCall(context, output, "claude-opus-4-6", version, 200_000, pending)


def follow(*seen: Observation, model: RiskModel = MODEL, state: SessionRisk | None = None) -> tuple[SessionRisk, Risk]:
    state = state or SessionRisk()
    for one in seen:
        state, risk = model.step(state, one)
    return state, risk


def test_empty_context_is_safe() -> None:
    _, risk = follow(call(20_000))
    assert risk.probability < 0.05
    assert risk.calls_left > 50
    assert not risk.alarm


def test_full_context_is_not() -> None:
    _, risk = follow(call(166_500))
    assert risk.probability > 0.95
    assert risk.calls_left <= 4
    assert risk.alarm


def test_reached_threshold_means_the_next_call() -> None:
    _, risk = follow(call(166_000, output=600, pending=500))
    assert (risk.probability, risk.calls_left, risk.calls_left_low, risk.calls_left_high) == (1, 1, 1, 1)
    assert risk.reasons[0] == "the threshold of 167,000 tokens is reached"


def test_reasons_name_room_growth_and_source() -> None:
    _, risk = follow(call(160_000))
    assert risk.reasons[0] == "7,000 tokens are left to the threshold of 167,000"
    assert "tokens a call" in risk.reasons[1]
    assert "from 2.1.22 on" in risk.reasons[2]


def test_version_decides_the_threshold() -> None:
    assert follow(call(153_000, version="2.1.20"))[1].alarm
    assert not follow(call(153_000, version="2.1.22"))[1].alarm


def test_pending_tokens_count_like_those_told_with_the_call() -> None:
    told = follow(call(150_000, pending=9_000))[1]
    later = follow(call(150_000), Pending(4_000), Pending(5_000))[1]
    assert later == told


def test_pending_tokens_end_with_the_next_call() -> None:
    state, risk = follow(call(100_000), Pending(30_000), call(130_500))
    assert state.pending == 0
    assert risk.context_tokens == 130_500


def test_fast_session_is_nearer_to_its_end_than_a_slow_one() -> None:
    slow = follow(*[call(150_000 - 60 * 200 + 200 * i) for i in range(61)])[1]
    fast = follow(*[call(150_000 - 60 * 2_000 + 2_000 * i) for i in range(61)])[1]
    assert slow.context_tokens == fast.context_tokens
    assert slow.calls_left > 1.5 * fast.calls_left


def test_compaction_ends_the_alarm_and_pins_the_threshold() -> None:
    state, risk = follow(call(120_000), call(123_000), call(124_000))
    assert not risk.alarm
    state, risk = follow(Compaction(automatic=True, pre_tokens=125_000), state=state)
    assert not risk.alarm
    _, risk = follow(call(40_000), call(122_000), state=state)
    assert risk.alarm
    assert 123_000 <= risk.threshold_tokens <= 125_000


def test_manual_compaction_pins_nothing() -> None:
    state, _ = follow(call(120_000), Compaction(automatic=False, pre_tokens=121_000))
    assert state.evidence == Evidence()
    assert state.level == 0


def test_call_that_goes_on_raises_the_threshold_of_its_session() -> None:
    state, risk = follow(call(167_500), call(170_000))
    assert state.evidence == Evidence(passed=167_500)
    assert risk.threshold_low >= 167_500


def test_conversation_that_was_cut_disproves_nothing() -> None:
    state, _ = follow(call(167_500), call(60_000))
    assert state.evidence == Evidence()


def test_another_model_has_a_threshold_of_its_own() -> None:
    state, _ = follow(call(168_000), call(169_000), replace(call(169_500), model="claude-sonnet-4-6"))
    assert state.key.model == "claude-sonnet-4-6"
    assert state.evidence.passed == 169_000


def test_fields_that_are_missing_stay_as_they_were() -> None:
    state, _ = follow(call(10_000), ApiCall(11_000))
    assert state.key == ThresholdKey("claude-opus-4-6", 200_000, "2.1.40")


def test_book_learns_what_sessions_tell() -> None:
    state, _ = follow(call(398_000), call(400_100))
    compaction = Compaction(automatic=True, pre_tokens=401_000)
    book = ThresholdBook().observe(state.key, state.evidence_of(compaction))
    assert 398_000 <= MODEL.with_book(book).step(SessionRisk(), call(30_000))[1].threshold_tokens <= 401_000
    assert MODEL.book == ThresholdBook()


def test_end_of_a_session_tells_the_book_what_was_passed() -> None:
    state, _ = follow(call(150_000), call(154_000))
    assert state.evidence_of() == Evidence(passed=150_000)


def test_alarm_lasts_between_its_levels() -> None:
    rule = AlarmRule(enter=0.6, leave=0.1)
    assert not rule.next(0.59, raised=False)
    assert rule.next(0.6, raised=False)
    assert rule.next(0.1, raised=True)
    assert not rule.next(0.09, raised=True)


def test_raised_alarm_stands_where_it_would_not_be_raised() -> None:
    on = follow(call(161_000), call(158_000))[1]
    off = follow(call(158_000))[1]
    assert 0.1 < off.probability < 0.6
    assert on.alarm
    assert not off.alarm


def test_alarm_is_lowered_after_a_large_cut() -> None:
    assert not follow(call(166_000), call(90_000))[1].alarm


def test_same_seed_gives_the_same_risk() -> None:
    seen = [call(100_000 + 900 * i) for i in range(60)]
    first, second, other = (RiskModel(generator=np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert follow(*seen, model=first)[1] == follow(*seen, model=second)[1]
    assert follow(*seen, model=first)[1].calls_left == pytest.approx(follow(*seen, model=other)[1].calls_left, abs=3)


def test_tokens_are_estimated_as_the_client_does() -> None:
    assert [estimate_tokens(characters) for characters in (-5, 0, 3, 4, 400)] == [0, 0, 0, 1, 100]


@given(observations)
def test_no_sequence_raises_and_every_risk_is_in_order(seen: list[Observation]) -> None:
    state = SessionRisk()
    for one in seen:
        state, risk = MODEL.step(state, one)
        assert 0 <= risk.probability <= 1
        assert 1 <= risk.calls_left_low <= risk.calls_left <= risk.calls_left_high
        assert risk.threshold_low <= risk.threshold_tokens <= risk.threshold_high
        assert state.alarm == risk.alarm


@given(observations)
def test_state_survives_json_within_two_kilobytes(seen: list[Observation]) -> None:
    state = SessionRisk()
    for one in seen:
        state, _ = MODEL.step(state, one)
    text = json.dumps(state.to_json())
    assert len(text) < 2_000
    assert SessionRisk.from_json(json.loads(text)) == state


@given(observations, st.integers(0, 200_000), st.integers(0, 200_000))
def test_more_context_never_means_less_risk(seen: list[Observation], some: int, more: int) -> None:
    state = SessionRisk()
    for one in seen:
        state, _ = MODEL.step(state, one)
    _, less = MODEL.step(state, Pending(some))
    _, larger = MODEL.step(state, Pending(some + more))
    assert larger.probability >= less.probability
    assert larger.calls_left <= less.calls_left


@given(st.integers(0, 400_000), st.integers(0, 400_000))
def test_larger_first_call_never_means_less_risk(context: int, more: int) -> None:
    assert follow(call(context + more))[1].probability >= follow(call(context))[1].probability


@pytest.mark.parametrize("data", [{}, {"key": 3, "evidence": {}, "pace": {}}, {"level": 3}])
def test_foreign_state_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no session risk"):
        SessionRisk.from_json(data)
