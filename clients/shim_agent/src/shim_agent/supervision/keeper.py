"""The agent's part of supervision: which clients it looks after, and what it does when one ends."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import structlog

from shim_agent.gateway import Gateway
from shim_agent.retry import until_done
from shim_agent.supervise import keep
from shim_agent.supervision import claude
from shim_agent.supervision.deciding import Decider
from shim_agent.supervision.evidence import judge
from shim_agent.supervision.notify import notify
from shim_agent.supervision.policies import Policies
from shim_agent.supervision.reports import Reporter
from shim_agent.supervision.returning import Returning
from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Report, Tended, attempt
from shim_agent.supervision.watches import Watches
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import ProcessExit, ProcessRef, Session
from shim_common.contracts.supervision import (
    Decision,
    End,
    EndKind,
    EndReport,
    NewWatch,
    Owner,
    RestartRequest,
    Step,
)
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import ShimError, Unavailable
from shim_common.kernel.ids import Ids
from shim_common.kernel.retry import Backoff

log = structlog.get_logger()

REQUEST_EVENT = "restart.requested"

POLICIES_SECONDS = 30.0
"""Between looks at the policies: people change them rarely."""

GRACE = timedelta(minutes=2)
"""A session that ended in order, but by nobody's known hand, may be the first victim of a shutdown for so long."""

FORGOTTEN_AFTER = timedelta(days=30)
"""A session that nobody wanted back for so long is not offered any more."""


class Supervision:
    """Watches over the sessions of this machine. A session that a living `shim run` owns is only reported on."""

    def __init__(
        self,
        gateway: Gateway,
        store: Store,
        policies: Policies,
        decider: Decider,
        returning: Returning,
        clock: Clock,
        ids: Ids,
        backoff: Backoff,
        *,
        boot: str,
        beat_seconds: float,
        look_seconds: float,
    ) -> None:
        self._gateway = gateway
        self._store = store
        self._policies = policies
        self._decider = decider
        self._returning = returning
        self._clock = clock
        self._ids = ids
        self._backoff = backoff
        self._boot = boot
        self._beat_seconds = beat_seconds
        self._reporter = Reporter(store, gateway, backoff, look_seconds)
        self._watches = Watches(gateway, clock)
        self._awaited: dict[tuple[str, int], float] = {}
        self._coming: set[str] = set()
        self._looked_at: set[str] = set()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._go_on_waiting()
                self._tasks.create_task(keep("reports", self._reporter.run, self._backoff))
                self._tasks.create_task(keep("policies", self._follow_policies, self._backoff))
                self._tasks.create_task(keep("watches", self._look_around, self._backoff))
        finally:
            self._tasks = None

    # --- what is seen

    def seen(self, client: str, config_dir: Path, session: str, process: ProcessRef) -> None:
        """Look after a session from now on: its client's process was found."""
        try:
            self._take_up(client, config_dir, session, process)
        except (Unavailable, psutil.Error) as error:
            log.warning("session_not_kept", session=session, reason=type(error).__name__)

    async def ended(
        self, client: str, config_dir: Path, session: str, gone: ProcessExit, told: Awaitable[Session | None]
    ) -> None:
        """Do what is to be done about the end of a client. `told` is the session once the end was told of."""
        since = self._awaited.pop((session, gone.process.pid), None)
        lived = None if since is None else self._clock.monotonic() - since
        try:
            known = self._store.tended_session(session)
            if known is None or not known.is_of(gone.process):
                known = await self._of_a_stranger(client, config_dir, session, gone.process, told)
            if known is not None:
                await self._on_end(known, config_dir, gone, told, lived)
        except Unavailable as error:
            log.warning("end_not_kept", session=session, reason=error.detail)

    async def requested(self, event: Event) -> None:
        """Do what a person asked for: bring a session of this machine back."""
        try:
            asked = RestartRequest(launcher=event.data.get("launcher"), tools=event.data.get("tools"))
            incident = await until_done("incident", lambda: self._gateway.incident(event.subject), self._backoff)
        except (ShimError, ValueError):
            return
        known = self._store.tended_session(incident.session)
        now = self._clock.now()
        if known is None:
            log.warning("session_unknown_here", session=incident.session)
        elif known.has_living_run(now):
            self._store.ask_for(known.session)
        elif known.is_wanted_back:
            self._decider.forgive(known.session)
            self._spawn(known, asked, wait_s=0.0, is_asked=True)

    # --- sessions

    def _take_up(self, client: str, config_dir: Path, session: str, process: ProcessRef) -> None:
        self._awaited.setdefault((session, process.pid), self._clock.monotonic())
        known = self._store.tended_session(session)
        now = self._clock.now()
        if known is not None and (known.is_of(process) or known.has_living_run(now)):
            return
        self._leave_behind(session, process)
        found = psutil.Process(process.pid)
        told_dir = _config_dir_of(found)
        watch = NewWatch(
            client=client,
            session=session,
            project=found.cwd(),
            process=process,
            managed_by=Owner.AGENT,
        )
        self._store.tend(
            Tended(
                watch=watch,
                config_dir=told_dir or (config_dir if config_dir != claude.default_config_dir() else None),
                command=claude.resume([claude.program_of(found.exe())], session),
                boot=self._boot,
            )
        )
        if known is not None and known.is_wanted_back:
            self._reporter.add(attempt(known, self._ids, now, pid=process.pid))

    def _leave_behind(self, session: str, process: ProcessRef) -> None:
        """Let go of the session that this process worked on before: the person went on to another one."""
        for other in self._store.tended():
            if other.session != session and other.ended is None and other.is_of(process):
                end = End(process=process, observed_at=self._clock.now(), kind=EndKind.CLOSED)
                why = "the client went on to another session"
                self._report_end(other, end, Decision(step=Step.LEAVE, why=why))
                self._store.let_go(other.session)

    async def _of_a_stranger(
        self, client: str, config_dir: Path, session: str, process: ProcessRef, told: Awaitable[Session | None]
    ) -> Tended | None:
        """Return what there is to know of a client that ended before it was ever seen; None if that is too little."""
        current = await told
        if current is None or self._store.tended_session(session) is not None:
            return None
        watch = NewWatch(
            client=client, session=session, project=current.project, process=process, managed_by=Owner.AGENT
        )
        return Tended(
            watch=watch,
            config_dir=config_dir if config_dir != claude.default_config_dir() else None,
            command=claude.resume([claude.PROGRAM], session),
            boot=self._boot,
        )

    async def _on_end(
        self, known: Tended, config_dir: Path, gone: ProcessExit, told: Awaitable[Session | None], lived: float | None
    ) -> None:
        if known.ended is not None or known.has_living_run(self._clock.now()):
            return
        cut_off = known.run is not None or known.boot != self._boot
        judged = await judge(config_dir, gone.process, told, cut_off=cut_off)
        latest = self._store.tended_session(known.session)
        if latest is not None and (latest.ended is not None or not latest.is_of(gone.process)):
            return  # somebody was faster while the session's state was waited for
        end = End(
            process=known.process, observed_at=gone.observed_at, kind=judged.kind, tool_processes=gone.tool_processes
        )
        await self._decide(known.adopted(), end, lived, by_hand=judged.by_hand)

    async def _decide(self, known: Tended, end: End, lived: float | None, *, by_hand: bool = False) -> None:
        decision = self._decider.decide(known, end, Owner.AGENT, lived)
        log.info("client_ended", session=known.session, kind=end.kind.value, step=decision.step.value)
        after = known.with_end(EndReport(id=self._ids.new("rpt"), end=end, decision=decision), by_hand=by_hand)
        self._store.tend(after)
        if end.kind is not EndKind.CLOSED:  # of that it is told when it is known not to be part of a shutdown
            self._reporter.add(Report(watch=after.watch, end=after.ended))
        if decision.step is Step.LEAVE and end.kind is not EndKind.CLOSED:
            self._store.let_go(known.session)
        if decision.step in (Step.OFFER, Step.ESCALATE):
            await notify("SHIM", _words(after, decision))
        if decision.next_try_at is not None:
            self._spawn(after, RestartRequest(), decision.wait_s)

    def _report_end(self, known: Tended, end: End, decision: Decision) -> None:
        self._reporter.add(
            Report(watch=known.watch, end=EndReport(id=self._ids.new("rpt"), end=end, decision=decision))
        )

    # --- bringing back

    def _go_on_waiting(self) -> None:
        """Take up the waits that an agent before this one was in the middle of."""
        now = self._clock.now()
        for one in self._store.tended():
            if one.ended is None or one.run is not None or one.ended.decision.next_try_at is None:
                continue
            left = (one.ended.decision.next_try_at - now).total_seconds()
            self._spawn(one, RestartRequest(), wait_s=min(max(left, 0.0), one.ended.decision.wait_s))

    def _spawn(self, known: Tended, asked: RestartRequest, wait_s: float, *, is_asked: bool = False) -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._bring_back(known, asked, wait_s, is_asked=is_asked))

    async def _bring_back(self, known: Tended, asked: RestartRequest, wait_s: float, *, is_asked: bool) -> None:
        await asyncio.sleep(wait_s)
        if not is_asked:
            await self._take_token()
        if known.session in self._coming or not self._is_still_gone(known):
            return
        self._coming.add(known.session)
        try:
            tools = asked.tools or self._policies.of(known.watch.policy).tools
            name, about_tools = await self._returning.bring_back(known, asked.launcher, tools)
            log.info("brought_back", session=known.session, launcher=name, tools=about_tools)
        except ShimError as error:
            self._reporter.add(attempt(known, self._ids, self._clock.now(), why=error.detail, launcher=asked.launcher))
            await self._failed(known, error, is_asked=is_asked)
        finally:
            self._coming.discard(known.session)

    async def _take_token(self) -> None:
        """Wait for leave: restarts of a whole machine must not come in a storm."""
        while wait := self._decider.take_token():  # noqa: ASYNC110 - the bucket fills by time alone
            await asyncio.sleep(wait)

    async def _failed(self, known: Tended, error: ShimError, *, is_asked: bool) -> None:
        """Count a try that failed; one that a person asked for is theirs to repeat."""
        log.warning("not_brought_back", session=known.session, code=error.problem_code, reason=error.detail)
        if is_asked or known.ended is None:
            await notify("SHIM", f"The session in {Path(known.watch.project).name} is not back: {error.detail}")
            return
        end = known.ended.end.model_copy(update={"kind": EndKind.FAILED})
        decision = self._decider.decide(known, end, Owner.AGENT, lived_s=0.0)
        if decision.step is Step.ESCALATE:
            await notify("SHIM", _words(known, decision))
        if decision.next_try_at is not None:
            self._spawn(known, RestartRequest(), decision.wait_s)

    def _is_still_gone(self, known: Tended) -> bool:
        latest = self._store.tended_session(known.session)
        return (
            latest is not None
            and latest.is_of(known.process)
            and latest.ended is not None
            and not latest.has_living_run(self._clock.now())
        )

    # --- housekeeping

    async def _follow_policies(self) -> None:
        while True:
            with suppress(ShimError):
                self._policies.keep(await self._gateway.policies())
            await asyncio.sleep(POLICIES_SECONDS)

    async def _look_around(self) -> None:
        while True:
            now = self._clock.now()
            everyone = self._store.tended()
            running = await asyncio.to_thread(_running, everyone, now)
            for one in everyone:
                if one.session not in running:
                    self._look_at_alone(one)
            await self._watches.beat(one for one in everyone if one.session in running)
            await asyncio.sleep(self._beat_seconds)

    def _look_at_alone(self, one: Tended) -> None:
        """See to one session beside all others: judging it may take until the service is back."""
        if self._tasks is None or one.session in self._looked_at:
            return
        self._looked_at.add(one.session)
        looking = self._tasks.create_task(self._look_at(one))
        looking.add_done_callback(lambda _: self._looked_at.discard(one.session))

    async def _look_at(self, one: Tended) -> None:
        """See to a session whose client is gone, if nobody else does."""
        if (one.session, one.process.pid) in self._awaited or one.has_living_run(self._clock.now()):
            return
        if one.ended is None:
            gone = ProcessExit(process=one.process, observed_at=self._clock.now())
            folder = one.config_dir or claude.default_config_dir()
            await self._on_end(one, folder, gone, self._session(one.session), None)
        elif one.ended.end.kind is EndKind.CLOSED:
            await self._look_at_closed(one)
        elif one.run is not None:
            # Its `shim run` died while it waited to bring it back.
            self._store.tend(one.adopted())
            await notify("SHIM", _words(one, one.ended.decision))
        elif self._clock.now() - one.ended.end.observed_at > FORGOTTEN_AFTER:
            self._store.let_go(one.session)

    async def _look_at_closed(self, one: Tended) -> None:
        """Tell of an orderly end, unless the machine went down right after it: then the session is wanted back."""
        if one.ended is None:
            return
        if one.boot != self._boot and not one.by_hand:
            await self._decide(one.adopted(), one.ended.end.model_copy(update={"kind": EndKind.LOST}), None)
        elif one.boot != self._boot or one.by_hand or self._clock.now() - one.ended.end.observed_at > GRACE:
            self._reporter.add(Report(watch=one.watch, end=one.ended))
            self._store.let_go(one.session)

    async def _session(self, session: str) -> Session | None:
        try:
            return await until_done("session", lambda: self._gateway.session(session), self._backoff)
        except ShimError:
            return None


def _running(everyone: list[Tended], now: datetime) -> set[str]:
    return {one.session for one in everyone if one.is_running(now)}


def _config_dir_of(process: psutil.Process) -> Path | None:
    """Return the configuration folder that the client was told, and nothing else of its environment."""
    with suppress(psutil.Error, OSError):
        told = process.environ().get(claude.CONFIG_VARIABLE)
        return Path(told) if told else None
    return None


def _words(known: Tended, decision: Decision) -> str:
    name = Path(known.watch.project).name
    if decision.step is Step.ESCALATE:
        return f"The session in {name} fails again and again: {decision.why}."
    return f"The session in {name} was interrupted. Bring it back: shim restart {known.session}"
