"""Recorded sessions through the real API and through the agent: what is stored equals what was sent."""

from pathlib import Path

import pytest

from shim_cli.api import Api
from shim_common.contracts.sessions import SessionState

from .rig.client import connected
from .rig.damage import stored_messages, variants
from .rig.player import assert_stored, replay, torn_checkpoints
from .rig.recordings import SHARED, SHIPPED, real_transcripts
from .rig.stack import Stack
from .rig.waiting import eventually

pytestmark = pytest.mark.stack

SAMPLE_BYTES = 400_000
"""Packed bytes of real transcripts that the test command replays; `make chaos` replays all of them."""
EVERY = 13
"""Lines of the shipped recording that are damaged here; `make chaos` damages each."""

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


def test_all_that_is_parseable_of_a_damaged_transcript_is_kept(stack: Stack, api: Api, tmp_path: Path) -> None:
    with connected(stack.home, tmp_path / "config") as client:
        written = {client.write(variant.content): variant for variant in variants(SHIPPED.read_bytes(), EVERY)}
        for session, variant in written.items():
            expected = list(variant.messages)
            eventually(lambda: stored_messages(api, session) == expected, variant.name)  # noqa: B023 - called at once
            assert api.integrity(session).verified
