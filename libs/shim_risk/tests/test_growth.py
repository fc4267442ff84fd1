import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_risk import Growth, Pace, Prior
from shim_risk.growth import CLIP, LEVELS, SETTLING_CALLS, is_growth
from shim_risk.passage import PATHS, Passage

rooms = st.floats(-1e6, 1e6)
paces = st.floats(0.05, 5)


@pytest.fixture(scope="module")
def passage() -> Passage:
    return Passage(Prior.default().growth, np.random.default_rng(3))


def calls_left(passage: Passage, room: float, pace: float = 1.0) -> np.ndarray:
    return passage.calls_left(np.full(PATHS, room), pace)


def test_fitted_growth_gives_its_samples_back() -> None:
    table = Growth.fit(range(1_001)).table(500)
    assert table[0] == pytest.approx(1, abs=1)
    assert np.median(table) == pytest.approx(500, abs=1)
    assert table.mean() == pytest.approx(500, abs=2)


def test_growth_needs_samples() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Growth.fit([])


def test_default_growth_rises_over_all_levels() -> None:
    quantiles = Prior.default().growth.quantiles
    assert len(quantiles) == len(LEVELS)
    assert list(quantiles) == sorted(quantiles)


def test_new_session_has_the_usual_pace() -> None:
    assert Pace().against(900) == pytest.approx(1)


def test_pace_follows_the_session() -> None:
    slow = fast = Pace()
    for _ in range(60):
        slow, fast = slow.grown(100), fast.grown(4_000)
    assert slow.against(900) < 0.7 < 2 < fast.against(900)


@given(st.lists(st.floats(-1e6, 1e6), max_size=80))
def test_pace_stays_between_standstill_and_the_largest_that_counts(growths: list[float]) -> None:
    pace = Pace()
    for growth in growths:
        pace = pace.grown(growth)
    assert 0 < pace.against(900) <= CLIP / 900


def test_start_and_cuts_are_no_growth() -> None:
    assert is_growth(500, SETTLING_CALLS + 1)
    assert not is_growth(500, SETTLING_CALLS)
    assert not is_growth(-20_000, SETTLING_CALLS + 1)


def test_steady_growth_passes_when_the_sum_does() -> None:
    steady = Passage(Growth((1_000.0,) * len(LEVELS)), np.random.default_rng(0))
    calls = calls_left(steady, 9_500)
    # Call 1 is the next; nine growths stay below the room, the tenth passes it.
    assert np.median(calls) == 11
    assert np.quantile(calls, 0.1) < 11 < np.quantile(calls, 0.9)


def test_no_room_means_the_next_call(passage: Passage) -> None:
    assert set(calls_left(passage, 0)) == {1}


def test_far_away_goes_on_beyond_the_simulated_calls(passage: Passage) -> None:
    assert 500 < np.median(calls_left(passage, 800_000)) < 2_000


@given(rooms, st.floats(0, 1e6), paces)
def test_more_room_never_means_fewer_calls(passage: Passage, room: float, more: float, pace: float) -> None:
    assert np.all(calls_left(passage, room, pace) <= calls_left(passage, room + more, pace))


@given(rooms, paces, st.floats(0, 5))
def test_faster_growth_never_means_more_calls(passage: Passage, room: float, pace: float, faster: float) -> None:
    assert np.all(calls_left(passage, room, pace + faster) <= calls_left(passage, room, pace))


def test_no_growth_at_all_never_comes_near() -> None:
    still = Passage(Growth((0.0,) * len(LEVELS)), np.random.default_rng(0))
    assert calls_left(still, 1_000).min() > 1_000
