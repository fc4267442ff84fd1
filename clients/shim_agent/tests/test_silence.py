from datetime import UTC, datetime, timedelta

import pytest

from shim_agent.transcripts.silence import ALARM_ENTRIES, FRESH, HookSilence

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_a_session_that_no_hook_opened_raises_the_alarm() -> None:
    silence = HookSilence().after_opening(is_new=True, began_at=NOW - FRESH, now=NOW)
    assert not silence.alarming
    silence = silence.after_append(ALARM_ENTRIES - 1)
    assert not silence.alarming
    assert silence.after_append(1).alarming


@pytest.mark.parametrize(
    ("is_new", "began_at"), [(False, NOW), (True, NOW - FRESH - timedelta(seconds=1)), (True, None)]
)
def test_known_older_and_undated_sessions_say_nothing(is_new: bool, began_at: datetime | None) -> None:
    silence = HookSilence().after_opening(is_new=is_new, began_at=began_at, now=NOW)
    assert not silence.after_append(1000).alarming
