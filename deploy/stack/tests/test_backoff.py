from hypothesis import given
from hypothesis import strategies as st

from shim_stack.backoff import FIRST_SECONDS, LONGEST_SECONDS, STABLE_SECONDS, next_delay


def test_it_doubles_up_to_its_longest() -> None:
    delays = [next_delay(None, 0)]
    while len(delays) < 9:
        delays.append(next_delay(delays[-1], 0.5))
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0, 5.0]


@given(st.lists(st.floats(0, 10_000), min_size=1))
def test_it_is_bounded_and_forgets_after_a_stable_run(uptimes: list[float]) -> None:
    delay = None
    for uptime in uptimes:
        before, delay = delay, next_delay(delay, uptime)
        assert FIRST_SECONDS <= delay <= LONGEST_SECONDS
        if uptime >= STABLE_SECONDS:
            assert delay == FIRST_SECONDS
        elif before is not None:
            assert delay >= before
