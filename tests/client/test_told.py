"""What holds SHIM to its word: it must notice whatever is missing or wrong."""

from datetime import UTC, datetime
from typing import Any

import pytest
from harness.journal import Acknowledged
from harness.told import Given, Told, complaints, unsaid

from shim_common.contracts.sessions import (
    Confidence,
    Entry,
    EntryKind,
    PendingCall,
    Recovery,
    Session,
    SessionState,
    ToolProcess,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def hook(event: str, **payload: Any) -> Acknowledged:
    return Acknowledged(event, {"session_id": "s", **payload}, {})


ASKED = hook("UserPromptSubmit", prompt="sort")
CALLED = hook("PreToolUse", tool_use_id="t")
ENDED = hook("PostToolUse", tool_use_id="t", tool_response={"stdout": "sorted"})
FAILED = hook("PostToolUseFailure", tool_use_id="t", error="stuck")
STOPPED = hook("Stop", last_assistant_message="done")


def given(*messages: Any, state: str = "interrupted", bundle: str = "", pending: tuple[PendingCall, ...] = ()) -> Given:
    session = Session(
        id="ses",
        chain_id="chn",
        client="claude-code",
        client_session_id="s",
        client_version=None,
        model=None,
        project="/p",
        state=SessionState(state),
        turn_open=True,
        started_at=NOW,
        last_seen_at=NOW,
        ended_at=None,
        end_reason=None,
        position=0,
        checkpoints=0,
        transcript_bytes=0,
        context_tokens=0,
    )
    entries = [
        Entry(position=n, key=str(n), kind=EntryKind.MESSAGE, at=NOW, hash="0" * 64, body={"message": {"content": m}})
        for n, m in enumerate(messages, 1)
    ]
    recovery = Recovery(
        interrupted=True, session=session, confidence=Confidence.CERTAIN, why="", bundle=bundle, pending=list(pending)
    )
    return Given(session, entries, recovery)


def pending(outcome: Any, output: str | None = None, pid: int | None = None) -> PendingCall:
    process = ToolProcess(pid=pid, created=0, command="") if pid else None
    return PendingCall(
        tool_use_id="t", name="Bash", summary="", started_at=NOW, outcome=outcome, output=output, process=process
    )


CALL_IN_LOG = [{"type": "tool_use", "id": "t"}]
RESULT_IN_LOG = [{"type": "tool_result", "tool_use_id": "t", "content": "sorted"}]


@pytest.mark.parametrize(
    ("hooks", "gives", "running"),
    [
        ([ASKED], given("sort"), set()),
        ([ASKED], given(bundle="Open task: sort"), set()),
        ([ASKED, CALLED], given("sort", CALL_IN_LOG, pending=(pending("unknown"),)), set()),
        ([ASKED, CALLED], given("sort", pending=(pending("running", pid=7),)), {7}),
        ([ASKED, CALLED, ENDED], given("sort", pending=(pending("finished", "sorted"),)), set()),
        ([ASKED, CALLED, ENDED], given("sort", CALL_IN_LOG, RESULT_IN_LOG), set()),
        ([ASKED, CALLED, FAILED], given("sort", pending=(pending("failed", "stuck"),)), set()),
        ([ASKED, STOPPED], given("sort", [{"type": "text", "text": "done"}], state="ended"), set()),
    ],
)
def test_content_with_what_is_right(hooks: list[Acknowledged], gives: Given, running: set[int]) -> None:
    assert complaints(Told.by(hooks), gives, running) == []


@pytest.mark.parametrize(
    ("hooks", "gives", "running", "complaint"),
    [
        ([ASKED], given(), set(), "'sort' is lost"),
        ([ASKED], given("sort", state="active"), set(), "the session is active, not interrupted"),
        ([ASKED, CALLED], given("sort"), set(), "call t is lost"),
        ([ASKED, CALLED], given("sort", CALL_IN_LOG), set(), "judged {}, not {'t': 'unknown'}"),
        ([ASKED, CALLED], given("sort", pending=(pending("unknown"),)), {7}, "not {'t': 'running'}"),
        ([ASKED, CALLED], given("sort", pending=(pending("running", pid=8),)), {7}, "processes {8} are not the tool's"),
        ([ASKED, CALLED, ENDED], given("sort", CALL_IN_LOG), set(), "output 'sorted' of t is lost"),
        ([ASKED, CALLED, ENDED], given("sort", pending=(pending("finished"),)), set(), "output 'sorted' of t is lost"),
        ([ASKED, CALLED, FAILED], given("sort", pending=(pending("finished", "stuck"),)), set(), "'t': 'failed'"),
        ([ASKED, STOPPED], given("sort", state="ended"), set(), "'done' is lost"),
        ([ASKED, STOPPED], given("sort", bundle="done"), set(), "the session is interrupted, not ended"),
    ],
)
def test_complains_of_what_is_not(hooks: list[Acknowledged], gives: Given, running: set[int], complaint: str) -> None:
    assert complaint in "; ".join(complaints(Told.by(hooks), gives, running))


def test_a_bundle_has_to_say_what_is_needed() -> None:
    told, gives = Told.by([ASKED, CALLED]), given("sort", pending=(pending("running", pid=7),))
    assert list(unsaid(told, gives, "task: sort; t: STILL RUNNING as process 7")) == []
    assert len(list(unsaid(told, gives, ""))) == 4
