"""Plays a recorded session against SHIM: opened, appended, hooked, killed, recovered, ended and verified."""

import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from shim_cli.api import Api
from shim_cli.errors import ApiProblem, NotRunning
from shim_cli.replay.client import StandIn
from shim_cli.replay.recording import RecordedHook, Recording
from shim_cli.replay.report import ReplayReport
from shim_cli.replay.timeline import Batch, steps
from shim_cli.replay.verify import Sent
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import (
    AppendEntries,
    EndSession,
    EntryKind,
    Heartbeat,
    HookAnswer,
    NewEntry,
    NewSession,
    ProcessExit,
    Recovery,
    SourceSpan,
)
from shim_common.kernel.clock import Clock
from shim_common.kernel.retry import Backoff
from shim_transcripts import PlacedEntry

CLIENT = "claude-code"

BEAT_SECONDS = 5.0
"""Between heartbeats, as the agent sends them."""

LONGEST_PAUSE = 5.0
"""Seconds; where the person was away, the replay goes on after this."""

PATIENCE = 30.0
"""Seconds for which a request is repeated while SHIM is away; it is back within 5 s of being killed."""

_PASSING = frozenset({429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""

Result = TypeVar("Result")


@dataclass(frozen=True)
class Wish:
    """How to play. `speed` is recorded seconds a second, None for as fast as it goes."""

    speed: float | None = None
    kill_at: int | None = None
    project: Path | None = None


class Audience(Protocol):
    """Who watches a replay."""

    def started(self, recording: Recording, size: int) -> None:
        """A recording of so many bytes begins."""

    def advanced(self, end: int) -> None:
        """The transcript is stored up to here."""

    def killed(self, recovery: Recovery) -> None:
        """The client was killed; this is what SHIM says to that."""


@dataclass(frozen=True)
class Player:
    """Plays recordings. Time comes in from outside; `pause` waits for so many seconds."""

    api: Api
    clock: Clock
    audience: Audience
    pause: Callable[[float], None] = time.sleep
    patience: float = PATIENCE

    def play(self, recording: Recording, wish: Wish) -> ReplayReport:
        """Play a recording into a session of its own, and compare what is stored with what was sent.

        Raises:
            Refused: the file is no transcript, or its hooks cannot be understood.
            NotRunning: SHIM stayed away for longer than the patience.
            ApiProblem: SHIM refused a request.
        """
        recording.check()
        hooks = recording.hooks()
        self.audience.started(recording, recording.size())
        run = _Run(self, recording, wish)
        try:
            run.play(hooks)
        finally:
            run.client.kill()
        return run.report


class _Run:
    """One replay under way."""

    def __init__(self, player: Player, recording: Recording, wish: Wish) -> None:
        origin = recording.origin()
        self.client = StandIn()
        self.report = ReplayReport(recording.path.name, damage=recording.report)
        self._player = player
        self._api = player.api
        self._clock = player.clock
        self._recording = recording
        self._wish = wish
        self._project = str(wish.project or origin.project or Path.cwd())
        self._session = NewSession(
            client=CLIENT,
            client_session_id=f"{(origin.session_id or 'recorded')[:100]}-replay-{secrets.token_hex(4)}",
            project=self._project,
            client_version=origin.client_version,
        )
        self._sent = Sent()
        self._beaten = -BEAT_SECONDS
        self._latest: float | None = None

    def play(self, hooks: Sequence[RecordedHook]) -> None:
        """Send everything in order, then verify."""
        started = self._clock.monotonic()
        self.report.session = self._api.open_session(self._session)  # not repeated: without SHIM nothing begins
        for step in steps(self._recording.entries(), hooks, self._wish.kill_at):
            if isinstance(step, Batch) and self._is_time_to_die():
                self._die()
            self._keep_time(step.at.timestamp())
            self._beat()
            if isinstance(step, Batch):
                self._append(step)
            else:
                self._hook(step.event, step.payload)
        if self._is_time_to_die(at_the_latest=True):
            self._die()
        self._steadily(lambda: self._api.end_session(self._sid, EndSession(reason="replayed")))
        self.report.seconds = self._clock.monotonic() - started
        self.report.damage = self._recording.report
        self.report.verification = self._steadily(
            lambda: self._sent.compare(self._api.entries(self._sid), self._api.integrity(self._sid))
        )

    @property
    def _sid(self) -> str:
        return self._session.client_session_id

    def _append(self, batch: Batch) -> None:
        """Send a batch; it is committed when this returns, and counted once however often it was repeated."""
        command = AppendEntries(
            entries=[_new_entry(placed) for placed in batch.entries],
            source=SourceSpan(file=str(self._recording.path), start=batch.start, end=batch.end),
        )
        began = self._clock.monotonic()
        answer = self._steadily(lambda: self._api.append(self._sid, command))
        self.report.slowest_append = max(self.report.slowest_append, self._clock.monotonic() - began)
        for placed in batch.entries:
            self._sent.add(placed.entry)
        self.report.sent += len(batch.entries)
        self.report.sent_bytes = batch.end
        self.report.requests += 1
        self.report.checkpoints += answer.checkpoint_id is not None
        self._player.audience.advanced(batch.end)

    def _hook(self, event: str, payload: JsonObject) -> HookAnswer | None:
        """Post a hook as the assistant would, under this replay's session."""
        moved = payload | {"session_id": self._sid}
        if self._wish.project is not None or "cwd" not in payload:
            moved["cwd"] = self._project
        self.report.hooks += 1
        if event == "SessionStart":
            self._beaten = -BEAT_SECONDS  # the agent sees a client start, and says so
        return self._steadily(lambda: self._api.hook(event, moved, self.client.reference.pid))

    def _beat(self) -> None:
        now = self._clock.monotonic()
        if now - self._beaten < BEAT_SECONDS:
            return
        self._beaten = now
        beat = Heartbeat(process=self.client.reference, transcript_bytes=self.report.sent_bytes)
        self._steadily(lambda: self._api.heartbeat(self._sid, beat))

    def _is_time_to_die(self, *, at_the_latest: bool = False) -> bool:
        wanted = self._wish.kill_at
        if wanted is None or self.report.killed_at is not None:
            return False
        return at_the_latest or self.report.sent >= wanted

    def _die(self) -> None:
        """Kill the client, tell it as the agent would, ask what is left, and start the client again."""
        gone = ProcessExit(process=self.client.reference, exit_code=self.client.kill(), observed_at=self._clock.now())
        self.report.killed_at = self.report.sent
        self._steadily(lambda: self._api.report_exit(self._sid, gone))
        began = self._clock.monotonic()
        recovery = self._steadily(lambda: self._api.recovery(session=self._sid))
        self.report.bundle_seconds = self._clock.monotonic() - began
        self.report.recovery = recovery
        self._player.audience.killed(recovery)
        self.client = StandIn()
        self._hook("SessionStart", {"hook_event_name": "SessionStart", "source": "resume"})

    def _keep_time(self, at: float) -> None:
        """Wait as long as the recorded session did, made shorter by the speed."""
        if self._wish.speed is not None and self._latest is not None and at > self._latest:
            self._player.pause(min((at - self._latest) / self._wish.speed, LONGEST_PAUSE))
        self._latest = max(at, self._latest or at)

    def _steadily(self, request: Callable[[], Result]) -> Result:
        """Repeat a request while SHIM is away: every request here may be repeated without harm."""
        end = self._clock.monotonic() + self._player.patience
        for wait in Backoff(cap=1.0).waits():
            try:
                return request()
            except (NotRunning, ApiProblem) as error:
                if not _will_pass(error) or self._clock.monotonic() > end:
                    raise
                self.report.retries += 1
                self._player.pause(wait)
        raise AssertionError("the waits never end")


def _new_entry(placed: PlacedEntry) -> NewEntry:
    entry = placed.entry
    return NewEntry(key=entry.key, kind=EntryKind(entry.kind), at=entry.at, body=entry.body)


def _will_pass(error: NotRunning | ApiProblem) -> bool:
    return isinstance(error, NotRunning) or error.problem.status in _PASSING
