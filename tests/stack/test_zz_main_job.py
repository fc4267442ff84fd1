"""The main job on real input: a session is recorded, killed in the middle of a tool call, and nothing of it is lost."""

from pathlib import Path

import pytest

from shim_cli.api import Api
from shim_cli.demo import mid_tool
from shim_cli.replay import Recording, ReplayReport
from shim_cli.replay.timeline import has_result
from shim_common.contracts.sessions import Confidence, Recovery, SessionState

from .rig.player import replay, torn_checkpoints
from .rig.recordings import SHARED, SHIPPED, real_transcripts

pytestmark = pytest.mark.stack

ESSENTIALS = 2_000
LIMIT = 10_000
LAST_COMMAND = "python3 -m unittest && python3 -m tests.soak"
REAL_BYTES = 250_000
"""Packed bytes from which a real transcript is a day's work and not a trial."""
KILLED_AT = 0.6
"""Where a real session is killed, as a part of its tool calls."""


def interrupted(report: ReplayReport) -> tuple[Recovery, str]:
    """What SHIM said after the kill, and its bundle; it has to be sure, and to have lost nothing."""
    assert report.verification.differences == ()
    recovery = report.recovery
    assert recovery is not None
    assert recovery.interrupted
    assert recovery.confidence is Confidence.CERTAIN
    assert recovery.bundle is not None
    assert len(recovery.bundle) <= LIMIT
    assert recovery.session is not None
    assert recovery.session.state is SessionState.INTERRUPTED
    return recovery, recovery.bundle


def head(bundle: str) -> str:
    return " ".join(bundle[:ESSENTIALS].split())


def test_the_shipped_session_killed_in_its_last_call(api: Api) -> None:
    entries = sum(1 for _ in Recording(SHIPPED).entries())
    report = replay(api, SHIPPED, kill_at=entries, project=Path("/shim-test/last-call"))
    recovery, bundle = interrupted(report)

    (call,) = recovery.pending
    assert (call.name, call.summary, call.outcome, call.output) == ("Bash", LAST_COMMAND, "unknown", None)
    essentials = head(bundle)
    for part in (
        "Open task: Good. One more thing: every customer may use a code only once.",
        f"Tool call in flight: Bash `{LAST_COMMAND}`",
        "its outcome is truly UNKNOWN",
        "never touch the payments module, it has been audited",
        "use only the standard library",
        "run the tests after each change",
        "Decision: a code counts as used only after the charge went through",
        "Files edited:",
        "shop/orders.py",
        "Last error",
    ):
        assert part in essentials, f"not in the bundle's head: {part}\n{bundle[:ESSENTIALS]}"
    assert "total_cents becomes the figure after the discount" in " ".join(bundle.split())  # an earlier decision
    assert recovery.session is not None
    assert recovery.resume == ["claude", "--resume", recovery.session.client_session_id]


def test_the_shipped_session_killed_where_only_a_hook_saw_the_end(api: Api) -> None:
    project = Path("/shim-test/finished-call")
    report = replay(api, SHIPPED, kill_at=mid_tool(Recording(SHIPPED)), project=project)
    recovery, bundle = interrupted(report)

    finished = [call for call in recovery.pending if call.outcome == "finished"]
    assert [(call.name, bool(call.output)) for call in finished] == [("Edit", True)]
    assert "FINISHED" in head(bundle)
    assert report.session is not None
    session = api.session(report.session.id)
    assert (session.state, session.position) == (SessionState.ENDED, report.verification.entries)
    assert not torn_checkpoints(api, session.id)
    assert not api.recovery(project=str(project)).interrupted  # it was resumed and ended: nothing is left to recover


def a_days_work() -> list[Path]:
    """Two real sessions of some length."""
    return [path for path in real_transcripts() if path.stat().st_size >= REAL_BYTES][:2]


def in_a_call(path: Path) -> int:
    """After how many entries a tool call is in flight."""
    placed = enumerate(Recording(path).entries())
    arrivals = [number for number, one in placed if has_result(one.entry.body)]
    return arrivals[int(len(arrivals) * KILLED_AT)]


@pytest.mark.skipif(not a_days_work(), reason=f"no recorded sessions in {SHARED}")
@pytest.mark.parametrize("path", a_days_work(), ids=lambda path: path.name.partition(".")[0])
def test_a_real_session_killed_and_recovered(api: Api, path: Path) -> None:
    report = replay(api, path, kill_at=in_a_call(path), project=Path("/shim-test") / path.stem)
    recovery, bundle = interrupted(report)

    assert {call.outcome for call in recovery.pending} == {"unknown"}  # no hooks were recorded
    assert "Open task: " in head(bundle)
    assert recovery.pending[-1].tool_use_id in head(bundle)
    assert report.session is not None
    assert api.session(report.session.id).position == report.verification.entries > 100
    assert not torn_checkpoints(api, report.session.id)
