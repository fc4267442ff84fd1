"""Sessions, their log, signals, risk, checkpoints and recovery: what the checkpointer takes and gives."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shim_common.contracts.base import Bytes, Command, JsonObject, Moment, Page, Pid, Sha256, Wire

EntryKey = Annotated[str, Field(min_length=1, max_length=200)]


class EntryKind(StrEnum):
    """What an entry of the log is."""

    MESSAGE = "message"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    USAGE = "usage"
    ERROR = "error"
    COMPACTION = "compaction"
    STATE = "state"
    NOTE = "note"
    META = "meta"


class SessionState(StrEnum):
    """Where a session stands."""

    ACTIVE = "active"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


class Trigger(StrEnum):
    """Why a checkpoint was made."""

    TOOL_CALLS = "tool_calls"
    RISK = "risk"
    COMPACTION = "compaction"
    RISKY_OPERATION = "risky_operation"
    ON_DEMAND = "on_demand"
    INTERRUPTION = "interruption"


class NewSession(Command):
    """Opens a session, or finds the one that is already open under the same client id."""

    client: str = Field(max_length=64, examples=["claude-code"])
    client_session_id: str = Field(min_length=1, max_length=200, examples=["4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"])
    project: str = Field(max_length=4096, examples=["/home/ana/webshop"], description="Absolute folder.")
    client_version: str | None = Field(None, max_length=64, examples=["2.1.329"])
    model: str | None = Field(None, max_length=128)
    continues: str | None = Field(
        None,
        max_length=200,
        description="The session this one goes on from (a fork or a cleared one): same chain.",
    )


class Session(Wire):
    """A client's conversation in a project."""

    id: str = Field(examples=["ses_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"])
    chain_id: str
    client: str
    client_session_id: str
    client_version: str | None
    model: str | None
    project: str
    state: SessionState
    turn_open: bool = Field(description="A prompt was given and no end of the turn was seen since.")
    started_at: Moment
    last_seen_at: Moment
    ended_at: Moment | None
    end_reason: str | None
    position: int = Field(description="Entries in the log.")
    checkpoints: int
    transcript_bytes: int
    context_tokens: int
    process: "ProcessRef | None" = None


class SessionPage(Page):
    """A page of sessions, newest first."""

    items: list[Session]


class NewEntry(Command):
    """One entry for a session's log. The same key twice is the same entry."""

    key: EntryKey
    kind: EntryKind
    at: Moment
    body: JsonObject


class SourceSpan(Command):
    """Which bytes of which file the entries of an append come from."""

    file: str = Field(max_length=4096, description="A name that stays the same while the file does.")
    start: Bytes
    end: Bytes


class AppendEntries(Command):
    """Adds entries at the end of the log, in order, all or none."""

    entries: list[NewEntry] = Field(max_length=1000)
    source: SourceSpan | None = Field(
        None,
        description="With it, bytes that were stored already are recognised without looking at the keys.",
    )


class Appended(Wire):
    """What became of an append; it is committed when this is answered."""

    position: int = Field(description="Entries in the log now.")
    appended: int
    duplicates: int
    source_end: int | None = Field(None, description="How far the source file is stored.")
    checkpoint_id: str | None = Field(None, description="Set if the append made a checkpoint.")
    hooked_at: Moment | None = Field(None, description="When the last hook of the session was heard.")


class Entry(Wire):
    """An entry as it is stored: the body redacted."""

    position: int
    key: str
    kind: EntryKind
    at: Moment
    hash: Sha256
    body: JsonObject


class EntryPage(Page):
    """A page of the log, oldest first."""

    items: list[Entry]


class ProcessRef(Command):
    """A process that cannot be mistaken for another: pid and creation time in seconds since the epoch."""

    pid: Pid
    created: float


class ToolProcess(Command):
    """A process that a tool of the session started."""

    pid: Pid
    created: float
    command: str = Field(max_length=4096)


class Heartbeat(Command):
    """The session's client is alive; sent every 5 s by whoever watches it."""

    process: ProcessRef | None = None
    transcript_bytes: Bytes | None = None
    rss_bytes: Bytes | None = None
    tool_processes: list[ToolProcess] = Field(default_factory=list, max_length=200)


class ProcessExit(Command):
    """The client's process is gone."""

    process: ProcessRef
    observed_at: Moment
    exit_code: int | None = None
    tool_processes: list[ToolProcess] = Field(
        default_factory=list, max_length=200, description="Tool processes that outlived the client."
    )


class EndSession(Command):
    """The session is over on purpose."""

    reason: str = Field("closed", max_length=200)


class SessionSource(Wire):
    """How far a file is stored."""

    file: str
    end: int


class Signal(Wire):
    """A measure crossed its threshold."""

    name: str = Field(examples=["context_used"])
    at: Moment
    value: float
    threshold: float
    why: str = Field(examples=["54 % of the context window is used; the threshold is 50 %."])
    cleared_at: Moment | None = None


class SignalPage(Page):
    """Signals of a session, newest first."""

    items: list[Signal]


class SignalReport(Wire):
    """What is measured of a session now."""

    session_id: str
    measures: dict[str, float]
    raised: list[Signal]
    risk: "RiskReport | None"


class RiskReport(Wire):
    """When the context will be exhausted (a compaction). No other failure is predicted."""

    at: Moment
    probability: float = Field(ge=0, le=1, description="That a compaction comes within the next 10 API calls.")
    calls_left: float | None = Field(None, description="Median estimate.")
    calls_left_low: float | None = Field(None, description="Lower end of the 80 % interval.")
    calls_left_high: float | None = None
    threshold_tokens: int
    context_tokens: int
    alarm: bool
    why: str


class NewCheckpoint(Command):
    """Makes a checkpoint now."""

    trigger: Literal[Trigger.ON_DEMAND, Trigger.RISKY_OPERATION] = Trigger.ON_DEMAND
    note: str | None = Field(None, max_length=2000)


class Checkpoint(Wire):
    """A position in the session's log that can be verified and returned to."""

    id: str = Field(examples=["ckp_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"])
    session_id: str
    number: int
    position: int = Field(description="The log up to this entry belongs to it.")
    head: Sha256 = Field(description="Hash over the whole log up to here.")
    trigger: Trigger
    at: Moment
    note: str | None = None
    snapshot_id: str | None = Field(None, description="The project's files as they were, if taken.")


class CheckpointPage(Page):
    """Checkpoints of a session, newest first."""

    items: list[Checkpoint]


class TaskState(Wire):
    """What the session is doing."""

    operation: str | None = None
    phase: str | None = None
    progress: float | None = Field(None, ge=0, le=1)
    blockers: list[str] = Field(default_factory=list)
    todos: list[JsonObject] = Field(default_factory=list)


class PendingCall(Wire):
    """A tool call that was started and has no result in the log."""

    tool_use_id: str
    name: str
    summary: str = Field(description="The command or file, shortened.")
    started_at: Moment | None
    outcome: Literal["finished", "failed", "running", "unknown"]
    output: str | None = Field(None, description="What it printed, where that is known.")
    process: ToolProcess | None = Field(None, description="Where it still runs.")


class CheckpointState(Wire):
    """What a checkpoint holds: conversation, task, files and tools."""

    checkpoint: Checkpoint
    verified: bool = Field(description="Every hash up to the checkpoint was recomputed and matched.")
    summary: str
    decisions: list[str]
    constraints: list[str]
    task: TaskState
    files_edited: list[str]
    pending: list[PendingCall]
    messages: int
    tool_calls: int


class FileRef(Command):
    """One file of a snapshot."""

    path: str = Field(min_length=1, max_length=4096, description="Relative to the project, with forward slashes.")
    sha256: Sha256
    size: Bytes
    mode: int = Field(ge=0, le=0o777, description="Permission bits.")
    link: str | None = Field(None, max_length=4096, description="Target, where it is a symbolic link.")


class NewSnapshot(Command):
    """The project's files at a moment. Contents are sent first (`PUT /v1/blobs/{sha256}`)."""

    taken_at: Moment
    files: list[FileRef] = Field(max_length=50_000)
    base: str | None = Field(None, description="Snapshot that `files` and `removed` are a change to.")
    removed: list[str] = Field(default_factory=list, max_length=50_000)
    active: list[str] = Field(default_factory=list, max_length=1000, description="Files the session touched.")
    modified: list[str] = Field(default_factory=list, max_length=10_000, description="Differing from the commit.")
    staged: list[str] = Field(default_factory=list, max_length=10_000)
    diff: Sha256 | None = Field(None, description="Blob with the uncommitted diff.")
    commit: str | None = Field(None, max_length=64)
    skipped: dict[str, str] = Field(default_factory=dict, description="Path or pattern -> why it was left out.")


class Snapshot(Wire):
    """A stored snapshot."""

    id: str = Field(examples=["snp_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"])
    session_id: str
    position: int
    taken_at: Moment
    files: int
    bytes: int


class SnapshotFiles(Wire):
    """The whole manifest of a snapshot."""

    snapshot: Snapshot
    files: list[FileRef]
    active: list[str]
    modified: list[str]
    staged: list[str]
    diff: Sha256 | None
    commit: str | None
    skipped: dict[str, str]


class MissingBlobs(Command):
    """Asks which of these contents are not stored yet."""

    hashes: list[Sha256] = Field(max_length=10_000)


class BlobsMissing(Wire):
    """The contents that must still be sent."""

    hashes: list[Sha256]


class Confidence(StrEnum):
    """How sure a recovery answer is."""

    CERTAIN = "certain"
    LIKELY = "likely"
    NONE = "none"


class Recovery(Wire):
    """Whether something was interrupted in a project, and what it takes to go on."""

    interrupted: bool
    session: Session | None
    confidence: Confidence
    why: str
    bundle: str | None = Field(None, max_length=10_000, description="For the model: facts, at most 10,000 characters.")
    pending: list[PendingCall] = Field(default_factory=list)
    resume: list[str] | None = Field(None, description="The command that continues the session, as arguments.")
    others: list[str] = Field(default_factory=list, description="Further interrupted sessions in the project.")


class HookAnswer(Wire):
    """What a client's hook prints. Empty where there is nothing to say."""

    hookSpecificOutput: JsonObject | None = None  # noqa: N815 - the client's own spelling
    systemMessage: str | None = None  # noqa: N815


class Parameter(Wire):
    """A declared tunable."""

    name: str
    value: float
    default: float
    minimum: float
    maximum: float
    unit: str
    meaning: str


class ParameterList(Wire):
    """All tunables of a service."""

    items: list[Parameter]


class Integrity(Wire):
    """Result of verifying a session's whole log."""

    session_id: str
    entries: int
    head: Sha256
    verified: bool
    detail: str
