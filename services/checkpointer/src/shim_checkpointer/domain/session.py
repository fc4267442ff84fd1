"""A session as the checkpointer keeps it: who it is and where it stands."""

from dataclasses import dataclass, field
from datetime import datetime

from shim_checkpointer.domain.digest import Digest
from shim_checkpointer.domain.log import GENESIS
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import ProcessRef, Session, SessionState, ToolProcess
from shim_common.processes import is_same_process

CREATED_UNKNOWN = 0.0
"""Creation time of a process of which a hook told no more than the pid."""


def may_be_same_process(one: ProcessRef, other: ProcessRef) -> bool:
    """Whether two references may mean one process."""
    if CREATED_UNKNOWN in (one.created, other.created):
        return one.pid == other.pid
    return is_same_process(one, other)


@dataclass
class Kept:
    """A session. `no` is the store's own number for it, 0 before it is stored."""

    id: str
    chain_id: str
    client: str
    client_session_id: str
    project: str
    started_at: datetime
    last_seen_at: datetime
    client_version: str | None = None
    model: str | None = None
    state: SessionState = SessionState.ACTIVE
    ended_at: datetime | None = None
    end_reason: str | None = None
    no: int = 0
    turn_open: bool = False
    prompt_id: str | None = None
    position: int = 0
    sealed: int = 0
    tail_bytes: int = 0
    head: bytes = GENESIS
    checkpoints: int = 0
    checkpointed_calls: int = 0
    fresh_bytes: int = 0
    transcript_bytes: int = 0
    process: ProcessRef | None = None
    hooked_at: datetime | None = None
    digest: Digest = field(default_factory=Digest)
    risk: JsonObject | None = None
    processes: list[ToolProcess] = field(default_factory=list)
    bundle: str | None = None
    raised: list[str] = field(default_factory=list)

    def public(self) -> Session:
        """Return what is told of the session."""
        return Session(
            id=self.id,
            chain_id=self.chain_id,
            client=self.client,
            client_session_id=self.client_session_id,
            client_version=self.client_version,
            model=self.model,
            project=self.project,
            state=self.state,
            turn_open=self.turn_open,
            started_at=self.started_at,
            last_seen_at=self.last_seen_at,
            ended_at=self.ended_at,
            end_reason=self.end_reason,
            position=self.position,
            checkpoints=self.checkpoints,
            transcript_bytes=self.transcript_bytes,
            context_tokens=self.digest.context_tokens,
            process=self.process,
        )

    def finish(self, state: SessionState, at: datetime, reason: str) -> None:
        """Leave the active state."""
        self.state, self.ended_at, self.end_reason = state, at, reason

    def revive(self) -> bool:
        """Become active again; say whether the session was not."""
        was_over = self.state is not SessionState.ACTIVE
        self.state, self.ended_at, self.end_reason = SessionState.ACTIVE, None, None
        return was_over
