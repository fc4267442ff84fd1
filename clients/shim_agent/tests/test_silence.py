from datetime import UTC, datetime, timedelta

import pytest

from shim_agent.transcripts.silence import ALARM_ENTRIES, CEASED_ENTRIES, FRESH, HookSilence

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def after(silence: HookSilence, appends: int, hooked_at: datetime | None = None) -> HookSilence:
    for _ in range(appends):
        silence = silence.after_append(1, hooked_at)
    return silence


def test_a_session_that_no_hook_opened_raises_the_alarm() -> None:
    silence = HookSilence().after_opening(is_new=True, began_at=NOW - FRESH, now=NOW)
    assert not after(silence, ALARM_ENTRIES - 1).alarming
    assert after(silence, ALARM_ENTRIES).alarming


def test_hooks_that_cease_raise_the_alarm_until_they_are_back() -> None:
    silence = after(HookSilence(), 1, NOW)
    assert not after(silence, CEASED_ENTRIES - 1, NOW).alarming
    assert after(silence, CEASED_ENTRIES, NOW).alarming
    assert not after(after(silence, CEASED_ENTRIES, NOW), 1, NOW + FRESH).alarming


def test_what_was_missed_while_shim_was_away_raises_no_alarm() -> None:
    silence = after(HookSilence(), 1, NOW).after_append(1000, NOW)
    assert not silence.alarming


@pytest.mark.parametrize(
    ("is_new", "began_at"), [(False, NOW), (True, NOW - FRESH - timedelta(seconds=1)), (True, None)]
)
def test_known_older_and_undated_sessions_say_nothing(is_new: bool, began_at: datetime | None) -> None:
    silence = HookSilence().after_opening(is_new=is_new, began_at=began_at, now=NOW)
    assert not after(silence, 1000).alarming
