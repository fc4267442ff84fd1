"""Check 19: failed attempts to authenticate are limited by address."""

from hypothesis import given
from hypothesis import strategies as st

from shim_gateway.domain.failures import MOST, WINDOW, Failures


def test_19_an_address_waits_after_too_many_failures() -> None:
    failures = Failures()
    for second in range(MOST):
        assert failures.wait("a", second) == 0
        failures.add("a", second)
    assert failures.wait("a", MOST) == WINDOW - MOST
    assert failures.wait("b", MOST) == 0


def test_19_failures_are_forgotten() -> None:
    failures = Failures()
    for _ in range(MOST):
        failures.add("a", 0)
    assert failures.wait("a", WINDOW) == 0.0
    assert failures.wait("a", WINDOW + 0.1) == 0


@given(st.lists(st.floats(0, 1000), max_size=200))
def test_19_nobody_waits_longer_than_the_window(moments: list[float]) -> None:
    failures = Failures()
    for moment in sorted(moments):
        assert 0 <= failures.wait("a", moment) <= WINDOW
        failures.add("a", moment)


def test_19_only_the_newest_thousand_addresses_are_remembered() -> None:
    failures = Failures()
    for address in ("first", *map(str, range(999))):
        for _ in range(MOST):
            failures.add(address, 0)
    assert failures.wait("first", 0) == WINDOW
    failures.add("one more", 0)
    assert failures.wait("first", 0) == 0
    assert failures.wait("998", 0) == WINDOW
