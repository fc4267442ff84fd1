import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_risk import DeclaredThresholds, Evidence, ThresholdBook, ThresholdKey
from shim_risk.findings import MAX_FINDINGS

OLD = ThresholdKey("claude-opus-4-5", None, "2.1.20")
NEW = ThresholdKey("claude-opus-4-6", None, "2.1.40")
UNHEARD = ThresholdKey("claude-next", 500_000, "3.0.1")

counts = st.integers(0, 1_200_000)
evidence = st.builds(Evidence, counts, st.none() | st.integers(1, 1_200_000))
keys = st.builds(
    ThresholdKey,
    st.none() | st.sampled_from(["claude-opus-4-5", "claude-opus-5-5", "claude-opus-4-6[1m]", "other"]),
    st.none() | st.sampled_from([8_000, 200_000, 1_000_000]),
    st.none() | st.sampled_from(["2.1.20", "2.1.21", "2.1.40", "2.1.329", "10", "", "not a version"]),
)


def book_of(*lessons: tuple[ThresholdKey, Evidence]) -> ThresholdBook:
    book = ThresholdBook()
    for key, told in lessons:
        book = book.observe(key, told)
    return book


@pytest.mark.parametrize(
    ("key", "tokens"),
    [
        (OLD, 155_000),
        (NEW, 167_000),
        (ThresholdKey("claude-opus-4-6[1m]", None, "2.1.40"), 967_000),
        (ThresholdKey("claude-opus-5-5", None, "2.1.329"), 967_000),
        (ThresholdKey("any", 500_000, "2.1.329"), 467_000),
        (ThresholdKey("small", 32_000, "2.1.329"), 26_720),
    ],
)
def test_thresholds_are_known_from_the_first_day(key: ThresholdKey, tokens: int) -> None:
    assert ThresholdBook().estimate(key).tokens == tokens


def test_unknown_version_has_both_thresholds_in_play() -> None:
    estimate = ThresholdBook().estimate(ThresholdKey("claude-opus-4-5", 200_000, None))
    assert (estimate.low, estimate.high) == (155_000, 167_000)


def test_call_that_goes_on_above_a_threshold_raises_it() -> None:
    estimate = ThresholdBook().estimate(ThresholdKey("claude-opus-4-5", 200_000, None), Evidence(passed=158_000))
    assert estimate.low == estimate.high == 167_000


def test_session_that_passes_everything_known_still_gets_a_threshold_above() -> None:
    assert ThresholdBook().estimate(OLD, Evidence(passed=2_000_000)).low >= 2_000_000


def test_compaction_pins_a_version_nobody_knew() -> None:
    estimate = book_of((UNHEARD, Evidence(401_200, 402_000))).estimate(UNHEARD)
    assert (estimate.low, estimate.high) == (401_200, 402_000)
    assert estimate.source == "learnt from 1 compaction of this client version"


def test_further_compactions_narrow_a_threshold_down() -> None:
    book = book_of((UNHEARD, Evidence(390_000, 409_000)), (UNHEARD, Evidence(401_200, 402_000)))
    assert (book.estimate(UNHEARD).low, book.estimate(UNHEARD).high) == (401_200, 402_000)
    assert book.estimate(UNHEARD).source == "learnt from 2 compactions of this client version"


def test_declared_threshold_inside_what_was_seen_stands_for_it() -> None:
    assert book_of((NEW, Evidence(150_000, 176_000))).estimate(NEW).tokens == 167_000


def test_passing_without_a_compaction_raises_the_threshold_for_later_sessions() -> None:
    before = ThresholdBook().estimate(NEW)
    after = book_of((NEW, Evidence(passed=180_000))).estimate(NEW)
    assert before.tokens == 167_000
    assert after.low >= 180_000


def test_changed_setting_is_believed_after_two_compactions() -> None:
    settled = book_of(*[(NEW, Evidence(166_900, 167_050))] * 10)
    changed = settled.observe(NEW, Evidence(118_000, 120_500)).observe(NEW, Evidence(118_500, 120_300))
    assert settled.estimate(NEW).tokens == 167_000
    assert 118_500 <= changed.estimate(NEW).tokens <= 120_300


def test_compaction_below_what_the_session_passed_means_a_changed_setting() -> None:
    told = Evidence(passed=160_000).compacted(120_000)
    assert 90_000 <= told.passed < 120_000
    assert ThresholdBook().estimate(NEW, told).high <= 120_000


def test_session_knows_its_own_compaction_before_the_book_does() -> None:
    estimate = ThresholdBook().estimate(NEW, Evidence(98_000, 100_000))
    assert (estimate.low, estimate.high) == (98_000, 100_000)
    assert estimate.source == "this session's own compaction"


def test_new_version_borrows_from_its_neighbours() -> None:
    later = ThresholdKey("claude-next", 500_000, "3.0.2")
    estimate = book_of((UNHEARD, Evidence(401_200, 402_000))).estimate(later)
    assert 401_200 <= estimate.tokens <= 402_000
    assert estimate.source == "learnt from 1 compaction of client 3.0.1"


def test_neighbour_with_another_window_lends_nothing() -> None:
    large = ThresholdKey("claude-next", 1_000_000, "3.0.1")
    book = book_of((UNHEARD, Evidence(401_200, 402_000)))
    assert book.estimate(large).candidates == ThresholdBook().estimate(large).candidates


def test_windows_can_be_declared() -> None:
    declared = DeclaredThresholds(windows={"claude-next": 400_000})
    assert ThresholdBook(declared=declared).estimate(ThresholdKey("claude-next-2", None, "3.0.1")).tokens == 367_000


def test_book_survives_json() -> None:
    book = book_of((OLD, Evidence(154_000, 155_200)), (NEW, Evidence(170_000)), (NEW, Evidence(3, 172_000)))
    assert ThresholdBook.from_json(json.loads(json.dumps(book.to_json()))) == book


@pytest.mark.parametrize("data", [[{}], [{"model": None, "window": None, "client_version": None}], [3], None])
def test_foreign_json_is_refused(data: list[dict[str, object]]) -> None:
    with pytest.raises(ValueError, match="no threshold book"):
        ThresholdBook.from_json(data)


@given(st.lists(st.tuples(keys, evidence), max_size=12), keys, evidence)
def test_any_history_gives_a_threshold_above_what_was_passed(
    history: list[tuple[ThresholdKey, Evidence]], key: ThresholdKey, told: Evidence
) -> None:
    estimate = book_of(*history).estimate(key, told)
    assert told.passed <= estimate.low <= estimate.tokens <= estimate.high
    spread = estimate.spread_over(64)
    assert spread.min() >= told.passed
    assert all(candidate.weight > 0 for candidate in estimate.candidates)


@given(st.lists(st.tuples(keys, evidence), max_size=12))
def test_any_history_survives_json_and_stays_small(history: list[tuple[ThresholdKey, Evidence]]) -> None:
    book = book_of(*history)
    assert ThresholdBook.from_json(json.loads(json.dumps(book.to_json()))) == book
    assert all(len(findings) <= MAX_FINDINGS for findings in book.findings.values())


@given(st.lists(st.tuples(keys, evidence), max_size=12), keys, st.integers(1_000, 1_000_000))
def test_two_equal_compactions_always_convince(
    history: list[tuple[ThresholdKey, Evidence]], key: ThresholdKey, pre_tokens: int
) -> None:
    told = Evidence(pre_tokens * 99 // 100, pre_tokens)
    book = book_of(*history, (key, told), (key, told), (key, told))
    assert told.passed <= book.estimate(key).tokens <= pre_tokens
