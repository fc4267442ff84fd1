"""Recorded sessions through the real API: what is stored equals what was sent, redaction apart."""

from pathlib import Path

import pytest

from shim_cli.api import Api
from shim_cli.replay import ReplayReport
from shim_common.contracts.sessions import SessionState

from .rig.player import replay, torn_checkpoints
from .rig.recordings import SHARED, SHIPPED, real_transcripts
from .rig.stack import Stack

SAMPLE_BYTES = 400_000
"""Packed bytes of real transcripts that the test command replays; `make chaos` replays all of them."""

needs_shared = pytest.mark.skipif(not real_transcripts(), reason=f"no recorded sessions in {SHARED}")


def sample() -> list[Path]:
    """Real transcripts from the smallest up, as far as the bytes go."""
    room = SAMPLE_BYTES
    chosen: list[Path] = []
    for path in real_transcripts():
        room -= path.stat().st_size
        if room < 0:
            break
        chosen.append(path)
    return chosen


def assert_stored(api: Api, report: ReplayReport) -> None:
    assert report.verification.differences == ()
    assert report.session is not None
    session = api.session(report.session.id)
    assert (session.state, session.position) == (SessionState.ENDED, report.verification.entries)
    assert not torn_checkpoints(api, session.id)


@needs_shared
@pytest.mark.parametrize("path", sample(), ids=lambda path: path.name.partition(".")[0])
def test_a_real_transcript_is_stored_as_it_was_sent(api: Api, path: Path) -> None:
    assert_stored(api, replay(api, path))


def test_the_command_replays_kills_recovers_and_verifies(stack: Stack, api: Api) -> None:
    ran = stack.shim("replay", str(SHIPPED), "--kill-at", "60", "--project", "/shim-test/webshop")

    assert ran.code == 0, ran.output
    assert "webshop.jsonl: stored as sent" in ran.output
    assert "Interrupted (certain)" in ran.output
    assert "killed after" in ran.output
    (newest,) = api.sessions(1, project="/shim-test/webshop")
    assert newest.state is SessionState.ENDED
    assert not torn_checkpoints(api, newest.id)
