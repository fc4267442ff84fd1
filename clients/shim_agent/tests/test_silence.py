from datetime import UTC, datetime, timedelta

from shim_agent.transcripts.silence import ALARM_ENTRIES, LIVE, HookSilence
from shim_common.contracts.sessions import Appended

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def answer(position: int, appended: int) -> Appended:
    return Appended(position=position, appended=appended, duplicates=0)


def test_a_transcript_that_grows_alone_raises_the_alarm() -> None:
    silence = HookSilence()
    for count in range(1, ALARM_ENTRIES + 1):
        assert not silence.alarming
        silence = silence.after(answer(count, 1), NOW, NOW)
    assert silence.alarming


def test_an_entry_from_elsewhere_ends_it() -> None:
    silence = HookSilence(entries=ALARM_ENTRIES, position=100).after(answer(102, 1), NOW, NOW)
    assert silence == HookSilence(entries=1, position=102)


def test_history_that_is_caught_up_with_says_nothing() -> None:
    old = NOW - LIVE - timedelta(seconds=1)
    assert HookSilence().after(answer(500, 500), old, NOW).entries == 0


def test_duplicates_say_nothing() -> None:
    assert HookSilence(entries=3, position=10).after(answer(10, 0), NOW, NOW).entries == 3
