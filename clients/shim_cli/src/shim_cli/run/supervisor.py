"""From one end of the client to the next."""

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from shim_agent.processes.identity import recorded_reference, reference
from shim_agent.processes.records import read_record
from shim_agent.processes.tools import ToolProcesses
from shim_agent.supervision import claude, survivors
from shim_agent.supervision.deciding import Decider
from shim_agent.supervision.going_on import command_for
from shim_agent.supervision.limits import usage_limit
from shim_agent.supervision.policies import Policies
from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Report, Tended, attempt
from shim_cli.run import client
from shim_cli.run.children import Children
from shim_cli.run.exits import Exit
from shim_cli.run.speech import Speech, Verdict, described
from shim_cli.run.terminal import Terminal
from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import (
    Decision,
    End,
    EndKind,
    EndReport,
    NewWatch,
    Owner,
    Policy,
    RestartMode,
    Step,
    ToolsPolicy,
)
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Unavailable
from shim_common.kernel.ids import Ids
from shim_common.processes import is_same_process
from shim_supervision import classify
from shim_transcripts import find_session_file

FIRST_LOOKS_SECONDS = 0.1
"""Between looks for the session while the client starts: it names it within a second."""

LATER_LOOKS_SECONDS = 2.0
"""Between looks once it is known: /clear and the like give the client another one."""


@dataclass
class Life:
    """One process of the client, from its start to its end."""

    process: ProcessRef | None = None
    started: float = 0.0
    tended: Tended | None = None
    is_up: bool = False
    """Whether the client itself named the session that it works on."""


class Supervisor:
    """Runs a client and goes on with its session as the policy says. If the disk fails, nobody else knows of it."""

    def __init__(
        self,
        command: Sequence[str],
        policy: str,
        tools: ToolsPolicy | None,
        *,
        home: Path,
        terminal: Terminal | None,
        store: Store,
        policies: Policies,
        decider: Decider,
        clock: Clock,
        ids: Ids,
        boot: str,
    ) -> None:
        self._command = [shutil.which(command[0]) or command[0], *command[1:]]
        self._home = home
        self._policy_name = policy
        self._policies = policies
        self._tools = tools
        self._terminal = terminal
        self._store = store
        self._decider = decider
        self._clock = clock
        self._ids = ids
        self._boot = boot
        self._children = Children()
        self._speech = Speech(terminal)
        self._me = reference(psutil.Process())
        told = os.environ.get(claude.CONFIG_VARIABLE)
        self._told_dir = Path(told) if told else None
        self._config_dir = self._told_dir or claude.default_config_dir()

    async def run(self) -> Exit:
        """Run the client until it has ended for good; return how.

        Raises:
            CannotRun: there is no such program, or it may not be run.
        """
        with self._children.reaping():
            life, folder = Life(), Path.cwd()
            command = self._command
            while True:
                ended = await self._live(life, command, folder)
                gone = life.tended
                if gone is None:
                    return ended.exit  # nothing was begun that could be gone on with
                after = await self._after(life, gone, ended)
                if after is None:
                    return self._last_exit(ended.exit)
                folder = Path(gone.watch.project)
                command = self._again(gone.session)
                life = Life(tended=after)

    def _last_exit(self, end: Exit) -> Exit:
        return Exit(signal=self._speech.ended_by) if self._speech.ended_by else end

    def _again(self, session: str) -> list[str]:
        try:
            return command_for(self._command, session, self._config_dir, self._home, self._clock.now())
        except OSError as error:
            self._speech.say(f"the transcript cannot be moved: {error}")
            return claude.resume(self._command, session)

    # --- while it lives

    async def _live(self, life: Life, command: Sequence[str], folder: Path) -> client.Ended:
        before = life.tended

        def on_start(process: ProcessRef) -> None:
            life.process, life.started = process, self._clock.monotonic()
            if before is not None:
                life.tended = self._tend(before.session, process, folder)

        following = asyncio.create_task(self._follow(life, before))
        try:
            ended = await client.run(command, folder, self._terminal, self._children, on_start)
        finally:
            following.cancel()
            await asyncio.wait([following])
        self._look(life, before)  # a client that was killed leaves its last word behind
        if before is not None and not life.is_up:
            self._spool(
                attempt(before, self._ids, self._clock.now(), why=f"the client {ended.exit.words} at its start")
            )
        return ended

    async def _follow(self, life: Life, before: Tended | None) -> None:
        """Keep up with the session that the client works on."""
        if not claude.is_client(self._command):
            return
        while True:
            self._look(life, before)
            await asyncio.sleep(LATER_LOOKS_SECONDS if life.is_up else FIRST_LOOKS_SECONDS)

    def _look(self, life: Life, before: Tended | None) -> None:
        if life.process is None or not claude.is_client(self._command):
            return
        record = read_record(self._config_dir, life.process.pid)
        told = recorded_reference(record) if record else None
        if record is None or told is None or not is_same_process(told, life.process):
            return
        if not claude.is_session_id(record.session):
            return
        if life.is_up and life.tended is not None and life.tended.session == record.session:
            return
        self._take_up(life, before, record.session)

    def _take_up(self, life: Life, before: Tended | None, session: str) -> None:
        """Look after the session that the client named."""
        if life.process is None:
            return
        pid, now = life.process.pid, self._clock.now()
        known = before if before is not None and before.session == session else self._known(session)
        if life.tended is not None and life.tended.session != session:
            self._leave_behind(life.tended)
        life.tended = self._tend(session, life.process, _folder_of(pid) or Path.cwd())
        if known is not None and known.is_wanted_back and not known.is_of(life.process):
            self._spool(attempt(known, self._ids, now, pid=pid))
        life.is_up = True

    def _known(self, session: str) -> Tended | None:
        with suppress(Unavailable):
            return self._store.tended_session(session)
        return None

    def _leave_behind(self, other: Tended) -> None:
        """Let go of the session that the client worked on before: the person went on to another one."""
        end = End(process=other.process, observed_at=self._clock.now(), kind=EndKind.CLOSED)
        decision = Decision(step=Step.LEAVE, why="the client went on to another session")
        self._report(other.with_end(EndReport(id=self._ids.new("rpt"), end=end, decision=decision)))
        self._let_go(other)

    def _tend(self, session: str, process: ProcessRef, folder: Path) -> Tended:
        watch = NewWatch(
            client=claude.CLIENT,
            session=session,
            project=str(folder),
            process=process,
            managed_by=Owner.RUN,
            policy=self._policy_name,
            started_under_shim=True,
        )
        tended = Tended(
            watch=watch,
            config_dir=self._told_dir,
            command=claude.resume(self._command, session),
            boot=self._boot,
            run=self._me,
        )
        self._keep(tended)
        return tended

    # --- when it ended

    async def _after(self, life: Life, gone: Tended, ended: client.Ended) -> Tended | None:
        """Do what is to be done about an end; return the session to go on with, None if that is not to be."""
        end = self._end(gone, ended)
        if end.kind is EndKind.CLOSED:
            self._close(gone, end, by_hand=ended.exit.code == 0 and not ended.on_purpose)
            return None
        decision = self._decide(gone, end, lived=self._clock.monotonic() - life.started)
        gone = gone.with_end(EndReport(id=self._ids.new("rpt"), end=end, decision=decision))
        self._keep(gone)
        self._report(gone)
        if decision.step is Step.LEAVE:
            self._let_go(gone)
            return None
        if not await self._may_go_on(gone, ended.exit, decision):
            return None
        await self._settle_tools(end)
        return gone

    def _end(self, gone: Tended, ended: client.Ended) -> End:
        limit = usage_limit(find_session_file(self._config_dir, gone.session)) if ended.exit.code else None
        kind = classify(ended.exit.code, ended.exit.signal, on_purpose=ended.on_purpose, usage_limit=limit is not None)
        tools = []
        if kind is not EndKind.CLOSED:
            tools = ToolProcesses().look({psutil.Process(): gone.session})[gone.session]
        return End(
            process=gone.process,
            observed_at=self._clock.now(),
            kind=kind,
            exit_code=ended.exit.code,
            signal=ended.exit.signal,
            resets_at=limit.resets_at if limit else None,
            tool_processes=tools,
        )

    def _close(self, gone: Tended, end: End, *, by_hand: bool) -> None:
        decision = Decision(step=Step.LEAVE, why="it was closed on purpose")
        closed = gone.with_end(EndReport(id=self._ids.new("rpt"), end=end, decision=decision), by_hand=by_hand)
        if by_hand:
            self._report(closed)
            self._let_go(closed)
        else:
            self._keep(closed)  # the agent tells of it, once it is known that the machine did not go down with it

    def _decide(self, gone: Tended, end: End, lived: float) -> Decision:
        if claude.is_print(self._command) and self._policy.mode is not RestartMode.ALWAYS:
            return Decision(step=Step.LEAVE, why="it answered one prompt for a program, which sees that it failed")
        return self._decider.decide(gone, end, Owner.RUN, lived)

    @property
    def _policy(self) -> Policy:
        return self._policies.of(self._policy_name)

    async def _may_go_on(self, gone: Tended, exit_: Exit, decision: Decision) -> bool:
        """Wait for as long as was decided, and for leave to start; say whether to."""
        wait_s = None if decision.step is Step.OFFER else decision.wait_s
        if wait_s is None and not self._speech.has_listener:
            return False
        verdict = await self._wait(gone, wait_s, _announcement(exit_, decision, gone.session))
        while verdict is Verdict.OVER and (wait := self._decider.take_token()):
            words = f"many sessions are being started; this one goes on in {wait:.1f} s"
            verdict = await self._wait(gone, wait, words)
        if verdict is Verdict.ASKED_FOR:
            self._decider.forgive(gone.session)
        if verdict is Verdict.GIVEN_UP:
            self._dismiss(gone)
        return verdict in (Verdict.OVER, Verdict.ASKED_FOR)

    async def _wait(self, gone: Tended, seconds: float | None, words: str) -> Verdict:
        def is_asked_for() -> bool:
            with suppress(Unavailable):
                return self._store.take_asked(gone.session)
            return False

        return await self._speech.wait(words, seconds, is_asked_for)

    async def _settle_tools(self, end: End) -> None:
        """End what the session left running, or keep it, and say so: two must not write without anybody knowing."""
        left = survivors.still_running(end.tool_processes, self._clock.now())
        if not left:
            return
        wanted = self._tools or self._policy.tools
        if wanted is ToolsPolicy.END or (wanted is ToolsPolicy.ASK and await self._speech.may_end(left)):
            stubborn = survivors.end(left)
            self._speech.say(f"ended {len(left) - len(stubborn)} of {len(left)} processes of the session")
        else:
            self._speech.say(f"kept what is {described(left)}")

    # --- what is written down

    def _dismiss(self, gone: Tended) -> None:
        self._spool(Report(watch=gone.watch, end=gone.ended, dismissed=True))
        self._let_go(gone)

    def _report(self, gone: Tended) -> None:
        self._spool(Report(watch=gone.watch, end=gone.ended))

    def _spool(self, report: Report) -> None:
        with suppress(Unavailable):
            self._store.spool(report)

    def _keep(self, tended: Tended) -> None:
        with suppress(Unavailable):
            self._store.tend(tended)

    def _let_go(self, tended: Tended) -> None:
        with suppress(Unavailable):
            self._store.let_go(tended.session)


def _folder_of(pid: int) -> Path | None:
    with suppress(psutil.Error):
        return Path(psutil.Process(pid).cwd())
    return None


def _announcement(exit_: Exit, decision: Decision, session: str) -> str:
    what = f"the client {exit_.words}"
    keys = "Enter: now; Ctrl-C: not at all"
    match decision.step:
        case Step.RESTART if decision.wait_s == 0:
            return f"{what}; going on with session {session}"
        case Step.OFFER:
            return f"{what}. {decision.why}. Go on with session {session}? Enter: yes; Ctrl-C: no"
        case Step.RESTART:
            return f"{what}; going on with session {session} in {decision.wait_s:.1f} s ({keys})"
        case _:
            when = decision.next_try_at.astimezone().strftime("%H:%M:%S") if decision.next_try_at else "never"
            return f"{what}. {decision.why}. Session {session} is tried again at {when} ({keys})"
