"""The rules of a watch."""

from datetime import datetime, timedelta

import pytest

from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import NewWatch, Owner, WatchBeat, WatchState
from shim_common.kernel.errors import Unprocessable
from shim_supervisor.domain.watch import KeptWatch, check_created, not_after

from ..building import START

PROCESS = ProcessRef(pid=7, created=100.0)


def moment(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def kept(managed_by: Owner = Owner.RUN) -> KeptWatch:
    return KeptWatch(
        id="wch_1",
        client="claude-code",
        session="s",
        project="/p",
        process=PROCESS,
        managed_by=managed_by,
        policy="default",
        group=None,
        started_under_shim=True,
        since=START,
    )


def claim(managed_by: Owner) -> NewWatch:
    return NewWatch(
        client="claude-code",
        session="s",
        project="/q",
        process=PROCESS,
        managed_by=managed_by,
        policy="calm",
        group="g",
        started_under_shim=False,
    )


def beat(seconds: float, rss: int | None = 5) -> WatchBeat:
    return WatchBeat(process=PROCESS, seen_at=moment(seconds), rss_bytes=rss)


def test_silence_is_unknown_and_never_an_end() -> None:
    watch = kept()

    assert watch.state(moment(30)) is WatchState.RUNNING
    assert watch.state(moment(31)) is WatchState.UNKNOWN
    watch.beat(beat(40), moment(40))
    assert watch.state(moment(70)) is WatchState.RUNNING
    assert watch.state(moment(1e7)) is WatchState.UNKNOWN


def test_a_watch_that_was_never_seen_says_so() -> None:
    assert kept().public(moment(5)).last_seen_at is None


def test_a_beat_that_comes_late_undoes_nothing() -> None:
    watch = kept()
    watch.beat(beat(10, rss=10), moment(10))
    watch.beat(beat(5, rss=5), moment(11))

    assert (watch.last_seen_at, watch.rss_bytes) == (moment(10), 10)


def test_a_beat_from_a_clock_that_is_ahead_counts_from_now() -> None:
    watch = kept()
    watch.beat(beat(1e6), moment(10))

    assert watch.last_seen_at == moment(10)


def test_a_beat_wakes_nobody() -> None:
    watch = kept()
    watch.ended_at = moment(1)
    watch.beat(beat(2), moment(2))

    assert (watch.state(moment(2)), watch.last_seen_at) == (WatchState.ENDED, None)


def test_figures_that_are_missing_are_unknown() -> None:
    watch = kept()
    watch.beat(beat(1), moment(1))
    watch.beat(beat(2, rss=None), moment(2))

    assert watch.rss_bytes is None


@pytest.mark.parametrize("first", Owner)
@pytest.mark.parametrize("second", Owner)
def test_one_owner(first: Owner, second: Owner) -> None:
    watch = kept(first)
    watch.claim(claim(second))

    assert watch.managed_by is (second if first is Owner.AGENT else first)
    is_heard = first in (second, Owner.AGENT)
    assert (watch.policy, watch.project) == (("calm", "/q") if is_heard else ("default", "/p"))


@pytest.mark.parametrize("created", [float("inf"), float("-inf"), float("nan")])
def test_what_is_no_creation_time(created: float) -> None:
    with pytest.raises(Unprocessable):
        check_created(created)


def test_nothing_happens_in_the_future() -> None:
    assert not_after(moment(5), moment(3)) == moment(3)
    assert not_after(moment(2), moment(3)) == moment(2)
