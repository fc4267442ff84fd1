"""Watches, restart policies and incidents: what the supervisor takes and gives."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from shim_common.contracts.base import Bytes, Command, Flag, Moment, Page, Pid, Wire
from shim_common.contracts.sessions import ProcessRef, ToolProcess

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$", examples=["default"])]
ReportId = Annotated[
    str, Field(min_length=1, max_length=64, description="Made by the reporter; the same one twice is one.")
]


class RestartMode(StrEnum):
    """After which ends a client is started again."""

    NEVER = "never"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class Strategy(StrEnum):
    """Who is started again with a client that ended (Erlang/OTP's names)."""

    ONE_FOR_ONE = "one_for_one"
    REST_FOR_ONE = "rest_for_one"


class ToolsPolicy(StrEnum):
    """What becomes of tool processes that outlived their client, before it is resumed."""

    KEEP = "keep"
    END = "end"
    ASK = "ask"


class Owner(StrEnum):
    """Who alone may start a client again."""

    RUN = "run"
    AGENT = "agent"
    WORKER = "worker"


class EndKind(StrEnum):
    """What the end of a client's process was, as far as it can be told."""

    CLOSED = "closed"
    FAILED = "failed"
    KILLED = "killed"
    USAGE_LIMIT = "usage_limit"
    LOST = "lost"


class Step(StrEnum):
    """What is done about an end."""

    RESTART = "restart"
    OFFER = "offer"
    WAIT = "wait"
    SUPPRESS = "suppress"
    ESCALATE = "escalate"
    LEAVE = "leave"


class IncidentState(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    OFFERED = "offered"
    SUPPRESSED = "suppressed"
    ESCALATED = "escalated"
    RESUMED = "resumed"
    DISMISSED = "dismissed"


class Policy(Command):
    """When a client is started again. Times are seconds; the defaults are the supervisor's parameters."""

    name: Name = "default"
    mode: RestartMode = RestartMode.ON_FAILURE
    strategy: Strategy = Strategy.ONE_FOR_ONE
    backoff_base_s: float = Field(0.1, gt=0, le=60)
    backoff_cap_s: float = Field(60.0, gt=0, le=3600)
    intensity: int = Field(5, ge=1, le=1000, description="More failures than this within the window go to a person.")
    window_s: float = Field(60.0, gt=0, le=86_400)
    stable_s: float = Field(30.0, gt=0, le=86_400, description="A client alive for so long starts with a clean slate.")
    cool_down_s: float = Field(300.0, gt=0, le=86_400, description="The breaker closes by itself after so long.")
    adopted: Flag = Field(default=False, description="Start again, unasked, also what was not started under SHIM.")
    tools: ToolsPolicy = ToolsPolicy.ASK


class PolicyList(Wire):
    """All policies."""

    items: list[Policy]


class NewWatch(Command):
    """A client's process is watched from now on. The same process for the same session again is the same watch."""

    client: str = Field(min_length=1, max_length=64, examples=["claude-code"])
    session: str = Field(min_length=1, max_length=200, description="The client's own session id.")
    project: str = Field(max_length=4096)
    process: ProcessRef
    managed_by: Owner
    policy: Name = "default"
    group: str | None = Field(None, max_length=200, description="Watches that a strategy acts on together.")
    started_under_shim: Flag = False


class WatchBeat(Command):
    """The process is alive. Missing figures are unknown, not zero."""

    process: ProcessRef
    seen_at: Moment
    rss_bytes: Bytes | None = None
    transcript_bytes: Bytes | None = None


class End(Command):
    """The process ended: what was observed, and what can be concluded from it."""

    process: ProcessRef
    observed_at: Moment
    kind: EndKind
    exit_code: int | None = Field(None, ge=0, le=255)
    signal: int | None = Field(None, ge=1, le=128)
    resets_at: Moment | None = Field(None, description="When a usage limit ends.")
    tool_processes: list[ToolProcess] = Field(default_factory=list, max_length=200)


class Decision(Wire):
    """What the policy says about an end, with the reason in words."""

    step: Step
    wait_s: float = Field(0.0, ge=0)
    why: str
    next_try_at: Moment | None = None


class EndReport(Command):
    """An end, and what its owner decided; sent once it is done, in the order in which it happened."""

    id: ReportId
    end: End
    decision: Decision


class AttemptOutcome(StrEnum):
    """What came of starting a client again."""

    RUNNING = "running"
    FAILED = "failed"


class AttemptReport(Command):
    """A client was started again, or could not be."""

    id: ReportId
    at: Moment
    outcome: AttemptOutcome
    pid: Pid | None = None
    launcher: Name | None = None
    why: str = Field("", max_length=500)


class WatchState(StrEnum):
    """Where a watch stands."""

    RUNNING = "running"
    ENDED = "ended"
    UNKNOWN = "unknown"


class Watch(Wire):
    """A watched process and what is known of it. `last_seen_at` is None until it was seen alive."""

    id: str = Field(examples=["wch_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"])
    client: str
    session: str
    project: str
    process: ProcessRef
    managed_by: Owner
    policy: str
    group: str | None
    started_under_shim: bool
    state: WatchState
    since: Moment
    last_seen_at: Moment | None
    ended_at: Moment | None
    rss_bytes: int | None
    transcript_bytes: int | None


class WatchPage(Page):
    """A page of watches, newest first."""

    items: list[Watch]


class Attempt(Wire):
    """One try to start a client again."""

    at: Moment
    outcome: AttemptOutcome
    pid: int | None
    launcher: str | None
    why: str


class Incident(Wire):
    """An end that was not meant, and everything done about it."""

    id: str = Field(examples=["inc_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"])
    watch_id: str
    client: str
    session: str
    project: str
    state: IncidentState
    opened_at: Moment
    closed_at: Moment | None
    end: End
    decision: Decision
    attempts: list[Attempt]


class IncidentPage(Page):
    """A page of incidents, newest first."""

    items: list[Incident]


class RestartRequest(Command):
    """Asks the session's owner to start it again. What is run is in the user's own configuration, never in here."""

    launcher: Name | None = Field(None, description="A launcher by its name there; the default one otherwise.")
    tools: ToolsPolicy | None = Field(None, description="What becomes of surviving tool processes this time.")
