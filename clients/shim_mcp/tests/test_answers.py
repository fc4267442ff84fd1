"""What the model reads is short."""

from datetime import UTC, datetime

from shim_common.contracts.sessions import Confidence, Recovery, RiskReport, SignalReport
from shim_mcp.answers import RecoveryAnswer, Saved, Signals

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_leaves_out_what_is_not_there_but_not_what_is_zero() -> None:
    saved = Saved(session_id="ses_1", state_saved=False, position=0)
    assert saved.model_dump(mode="json") == {"session_id": "ses_1", "state_saved": False, "position": 0}


def test_what_is_left_out_is_not_required_by_the_schema() -> None:
    assert RecoveryAnswer.model_json_schema()["required"] == ["interrupted", "confidence", "why"]


def test_a_command_is_quoted_so_that_it_can_be_run() -> None:
    recovery = Recovery(
        interrupted=True,
        session=None,
        confidence=Confidence.LIKELY,
        why="no heartbeat",
        bundle="x",
        resume=["cd", "/home/ana/my shop"],
    )
    assert RecoveryAnswer.of(recovery).resume == "cd '/home/ana/my shop'"


def test_an_unknown_number_of_calls_is_left_out() -> None:
    risk = RiskReport(
        at=NOW, probability=0.0, threshold_tokens=1, context_tokens=0, alarm=False, why="too little is known"
    )
    report = SignalReport(session_id="ses_1", measures={}, raised=[], risk=risk)
    assert Signals.of(report).model_dump(mode="json") == {
        "session_id": "ses_1",
        "measures": {},
        "risk": {"probability": 0.0, "alarm": False, "why": "too little is known"},
    }
