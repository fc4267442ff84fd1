from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.domain.interruption import LapseWatch, state_after_end
from shim_common.contracts.sessions import SessionState
from shim_common.kernel.clock import ManualClock

from ..building import START, at

LAPSE = 30


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


class Looking:
    """A watch and its clock."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock, self.watch = clock, LapseWatch(LAPSE)

    def look(self) -> datetime | None:
        return self.watch.silent_before(self.clock.now(), self.clock.monotonic())

    def look_for(self, seconds: int) -> list[datetime | None]:
        """Look every two seconds."""
        looks = []
        for _ in range(seconds // 2):
            self.clock.advance(2)
            looks.append(self.look())
        return looks


def test_it_waits_one_lapse_before_it_judges(clock: ManualClock) -> None:
    looking = Looking(clock)

    assert looking.look() is None
    assert looking.look_for(28) == [None] * 14
    assert looking.look_for(6) == [at(0), at(2), at(4)]


@pytest.mark.parametrize("jump", [3600, -3600, 6, -6, 86_400 * 365])
def test_after_a_jump_it_waits_afresh(clock: ManualClock, jump: int) -> None:
    looking = Looking(clock)
    looking.look_for(60)

    clock.jump(jump)
    assert looking.look() is None
    assert looking.look_for(28) == [None] * 14
    assert looking.look_for(2) == [at(60 + jump)]


def test_a_machine_that_slept_is_a_jump(clock: ManualClock) -> None:
    looking = Looking(clock)
    looking.look_for(60)

    clock.jump(8 * 3600)  # monotonic time stands still while the machine sleeps

    assert looking.look_for(28) == [None] * 14


@pytest.mark.parametrize("drift", [4, -4])
def test_a_clock_that_is_put_right_a_little_is_none(clock: ManualClock, drift: int) -> None:
    looking = Looking(clock)
    looking.look_for(60)

    clock.jump(drift)

    assert looking.look() == at(30 + drift)


def test_a_pause_of_the_service_alone_is_none(clock: ManualClock) -> None:
    looking = Looking(clock)
    looking.look_for(60)

    clock.advance(600)

    assert looking.look() == at(630)


@given(st.lists(st.tuples(st.sampled_from(["advance", "jump"]), st.integers(-7200, 7200)), max_size=30))
def test_whoever_beat_within_the_lapse_is_never_called_silent(moves: list[tuple[str, int]]) -> None:
    clock = ManualClock(START)
    looking = Looking(clock)
    beat_at, beaten = clock.now(), clock.monotonic()
    for kind, seconds in moves:
        if kind == "jump":
            clock.jump(seconds)
        else:
            clock.advance(abs(seconds) % 5)
        moment = looking.look()
        if moment is not None and beat_at < moment:
            assert clock.monotonic() - beaten >= LAPSE - 5
        if clock.monotonic() - beaten >= 5:
            beat_at, beaten = clock.now(), clock.monotonic()


def test_what_a_session_becomes() -> None:
    assert state_after_end(turn_open=True) is SessionState.INTERRUPTED
    assert state_after_end(turn_open=False) is SessionState.ENDED
