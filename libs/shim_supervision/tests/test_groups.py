import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_common.contracts.supervision import Strategy
from shim_supervision import Plan, plan

MEMBERS = ["gateway", "agent", "chat-1", "chat-2"]


def test_one_for_one_touches_nobody_else() -> None:
    assert plan(Strategy.ONE_FOR_ONE, MEMBERS, "agent") == Plan(end=(), start=("agent",))


def test_rest_for_one_ends_the_youngest_first_and_starts_in_the_old_order() -> None:
    found = plan(Strategy.REST_FOR_ONE, MEMBERS, "agent")

    assert found == Plan(end=("chat-2", "chat-1"), start=("agent", "chat-1", "chat-2"))


def test_nobody_is_younger_than_the_last() -> None:
    assert plan(Strategy.REST_FOR_ONE, MEMBERS, "chat-2") == Plan(end=(), start=("chat-2",))


@pytest.mark.parametrize("strategy", Strategy)
def test_a_stranger_is_refused(strategy: Strategy) -> None:
    with pytest.raises(ValueError):
        plan(strategy, MEMBERS, "nobody")


@given(st.lists(st.text(min_size=1), min_size=1, unique=True), st.data())
def test_the_older_ones_are_left_alone_and_whoever_is_ended_is_started(members: list[str], data: st.DataObject) -> None:
    ended = data.draw(st.sampled_from(members))
    found = plan(Strategy.REST_FOR_ONE, members, ended)

    assert list(found.start) == members[members.index(ended) :]
    assert set(found.start) == {ended, *found.end}
    assert ended not in found.end
