"""What the tools answer. The model reads exactly this, as JSON: short, and without what is not there."""

import shlex
from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from shim_common.contracts.search import PassageKind, SearchHit, SearchPage
from shim_common.contracts.sessions import (
    Checkpoint,
    Confidence,
    PendingCall,
    Recovery,
    RiskReport,
    Session,
    SessionState,
    SignalReport,
    Trigger,
)

_DIGITS = 3
"""Decimals of a measure; more is noise to its reader."""


class Answer(BaseModel):
    """Leaves out what is absent or empty: each null costs the model tokens and says nothing."""

    model_config = ConfigDict(frozen=True)

    @model_serializer(mode="wrap")
    def _without_gaps(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dump(self).items() if value is not None and value != []}


class Saved(Answer):
    """What became of the task state."""

    session_id: str
    state_saved: bool
    position: int = Field(description="Entries in the session's log now.")
    checkpoint_id: str | None = Field(None, description="Made by this call; absent if none was due.")
    note: str | None = None


class RecoveryAnswer(Answer):
    """Whether something was interrupted, and what it takes to go on."""

    interrupted: bool
    confidence: Confidence
    why: str
    session_id: str | None = None
    client: str | None = None
    project: str | None = None
    last_seen_at: datetime | None = None
    bundle: str | None = Field(None, description="What is needed to go on.")
    pending: list[str] = Field([], description="Tool calls that were in flight, and what became of them.")
    resume: str | None = Field(None, description="The command that continues the session.")
    others: list[str] = Field([], description="Further interrupted sessions in the project.")

    @classmethod
    def of(cls, recovery: Recovery) -> Self:
        """Return the answer for what SHIM found."""
        session = recovery.session
        return cls(
            interrupted=recovery.interrupted,
            confidence=recovery.confidence,
            why=recovery.why,
            session_id=session.id if session else None,
            client=session.client if session else None,
            project=session.project if session else None,
            last_seen_at=session.last_seen_at if session else None,
            bundle=recovery.bundle,
            pending=[_in_a_line(call) for call in recovery.pending],
            resume=shlex.join(recovery.resume) if recovery.resume else None,
            others=recovery.others,
        )


class RaisedSignal(Answer):
    """A measure that crossed its threshold, and why that counts."""

    name: str
    why: str


class Risk(Answer):
    """When the context will be exhausted: a compaction. No other failure is predicted."""

    probability: float = Field(description="Of a compaction within the next 10 API calls.")
    calls_left: float | None = None
    calls_left_80_percent: list[float] = Field([], description="Lower and upper end of the 80 % interval.")
    alarm: bool
    why: str

    @classmethod
    def of(cls, report: RiskReport) -> Self:
        """Return the answer for a risk report."""
        ends = (report.calls_left_low, report.calls_left_high)
        return cls(
            probability=round(report.probability, _DIGITS),
            calls_left=_rounded(report.calls_left),
            calls_left_80_percent=[round(end, _DIGITS) for end in ends if end is not None],
            alarm=report.alarm,
            why=report.why,
        )


class Signals(Answer):
    """What is measured of a session, and what crossed its threshold."""

    session_id: str
    raised: list[RaisedSignal] = []
    measures: dict[str, float]
    risk: Risk | None = None
    note: str | None = None

    @classmethod
    def of(cls, report: SignalReport) -> Self:
        """Return the answer for a signal report."""
        near = report.risk is not None and report.risk.alarm
        return cls(
            session_id=report.session_id,
            raised=[
                RaisedSignal(name=signal.name, why=signal.why) for signal in report.raised if signal.cleared_at is None
            ],
            measures={name: round(value, _DIGITS) for name, value in sorted(report.measures.items())},
            risk=Risk.of(report.risk) if report.risk else None,
            note="A compaction is near: give shim_auto_checkpoint the task state first." if near else None,
        )


class LastCheckpoint(Answer):
    """The newest checkpoint of a session."""

    checkpoint_id: str
    number: int
    position: int
    at: datetime
    trigger: Trigger


class Status(Answer):
    """Where a session stands."""

    session_id: str
    client: str
    project: str
    state: SessionState
    turn_open: bool = Field(description="A prompt was given and its turn has not ended.")
    started_at: datetime
    last_seen_at: datetime
    position: int = Field(description="Entries in the log.")
    context_tokens: int
    checkpoints: int
    last_checkpoint: LastCheckpoint | None = None

    @classmethod
    def of(cls, session: Session, newest: Checkpoint | None) -> Self:
        """Return the answer for a session and its newest checkpoint."""
        last = None
        if newest is not None:
            last = LastCheckpoint(
                checkpoint_id=newest.id,
                number=newest.number,
                position=newest.position,
                at=newest.at,
                trigger=newest.trigger,
            )
        return cls(
            session_id=session.id,
            client=session.client,
            project=session.project,
            state=session.state,
            turn_open=session.turn_open,
            started_at=session.started_at,
            last_seen_at=session.last_seen_at,
            position=session.position,
            context_tokens=session.context_tokens,
            checkpoints=session.checkpoints,
            last_checkpoint=last,
        )


class Made(Answer):
    """A checkpoint that was made on demand."""

    session_id: str
    checkpoint_id: str
    number: int
    position: int = Field(description="The log up to this entry belongs to it.")
    files: bool = Field(description="The project's files were kept with it.")


class Hit(Answer):
    """An entry of a session that was found."""

    session_id: str
    position: int = Field(description="In the log; shim://sessions/{session_id}/transcript?after= shows it whole.")
    at: datetime
    kind: PassageKind
    failed: bool | None = Field(None, description="Absent where it did not.")
    tools: list[str] = []
    project: str
    text: str = Field(description="The line, with what was found between **.")

    @classmethod
    def of(cls, hit: SearchHit) -> Self:
        """Return the answer for a hit."""
        return cls(
            session_id=hit.session_id,
            position=hit.position,
            at=hit.at,
            kind=hit.kind,
            failed=hit.failed or None,
            tools=hit.tools,
            project=hit.project,
            text=hit.marked("**", "**"),
        )


class Hits(Answer):
    """What was found, best first."""

    hits: list[Hit] = []
    note: str | None = None

    @classmethod
    def of(cls, page: SearchPage) -> Self:
        """Return the answer for a page of hits."""
        note = None
        if not page.items:
            note = "Nothing was found. Fewer words find more; so does leaving filters out."
        elif page.next_cursor is not None:
            note = "There is more; narrow it down with words or filters."
        return cls(hits=[Hit.of(hit) for hit in page.items], note=note)


class Cleared(Answer):
    """What was removed for good."""

    session_id: str
    entries: int
    checkpoints: int


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _in_a_line(call: PendingCall) -> str:
    running = f" as process {call.process.pid}" if call.process else ""
    return f"{call.name} {call.summary}: {call.outcome}{running}"
