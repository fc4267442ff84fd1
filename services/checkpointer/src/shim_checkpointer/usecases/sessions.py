"""Opening, following and ending sessions."""

import math

from pydantic import BaseModel

from shim_checkpointer.domain.interruption import state_after_end
from shim_checkpointer.domain.session import Kept, may_be_same_process
from shim_checkpointer.ports import SessionFilter, Unit
from shim_checkpointer.usecases.bundling import refresh_bundle
from shim_checkpointer.usecases.checkpointing import make_checkpoint
from shim_checkpointer.usecases.context import Context, session_of
from shim_checkpointer.usecases.signalling import Signalling
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import (
    EndSession,
    Heartbeat,
    NewSession,
    ProcessExit,
    ProcessRef,
    Session,
    SessionSource,
    SessionState,
    ToolProcess,
    Trigger,
)
from shim_common.kernel.errors import Conflict, Unprocessable
from shim_common.kernel.idempotency import Once, once

PROCESS_EXIT = "process_exit"
HEARTBEAT_LAPSED = "heartbeat_lapsed"
_LARGEST_EXIT_CODE = 2**32 - 1
"""Windows has 32 bits of exit code, everybody else fewer."""


class SessionLife:
    """What happens to a session besides its entries."""

    def __init__(self, context: Context, signalling: Signalling) -> None:
        self._context = context
        self._signalling = signalling

    async def open(self, command: NewSession, actor: str, request: Once | None = None) -> tuple[int, bytes]:
        """Open a session, or find it: 201 with a new one, 200 with one that is known."""
        async with self._context.store.begin() as unit:

            async def make() -> tuple[int, BaseModel]:
                session, is_new = await self.find_or_create(unit, command, actor)
                return (201 if is_new else 200), session.public()

            answer = await once(unit.requests, request, make, self._context.clock.now())
        self._context.ring()
        return answer

    async def find_or_create(self, unit: Unit, command: NewSession, actor: str) -> tuple[Kept, bool]:
        """Return the session of a client id, and whether it was made now.

        Raises:
            Conflict: it is being deleted at this moment.
        """
        known = await unit.sessions.of_client(command.client, command.client_session_id)
        if known is not None:
            return known, False
        parent = await unit.sessions.find(command.continues) if command.continues else None
        session = self._new(command, parent)
        if not await unit.sessions.create(session):
            known = await unit.sessions.of_client(command.client, command.client_session_id)
            if known is None:
                raise Conflict("the session is being deleted; try again", code="session_deleted")
            return known, False
        started = self._context.event(
            "session.started", session, actor, client=session.client, client_version=session.client_version
        )
        await unit.publish([started])
        return session, True

    def _new(self, command: NewSession, parent: Kept | None) -> Kept:
        now = self._context.clock.now()
        return Kept(
            id=self._context.ids.new("ses"),
            chain_id=parent.chain_id if parent else self._context.ids.new("chn"),
            client=command.client,
            client_session_id=command.client_session_id,
            project=normal_project(command.project),
            client_version=command.client_version,
            model=command.model,
            started_at=now,
            last_seen_at=now,
        )

    async def find(self, sid: str) -> Session:
        """Return a session.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.begin() as unit:
            return (await session_of(unit, sid)).public()

    async def page(self, wanted: SessionFilter, before: int | None, limit: int) -> list[tuple[int, Session]]:
        """Return sessions with their numbers, newest first."""
        async with self._context.store.begin() as unit:
            return [(kept.no, kept.public()) for kept in await unit.sessions.page(wanted, before, limit)]

    async def sources(self, sid: str) -> list[SessionSource]:
        """Return how far the session's files are stored.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.begin() as unit:
            return await unit.log.sources(await session_of(unit, sid))

    async def beat(self, sid: str, beat: Heartbeat, actor: str) -> None:
        """Take a sign of life. Without a process it only tells of tool processes that outlived the client.

        Raises:
            NotFound: there is no such session.
            Unprocessable: no process has such a creation time.
        """
        _check(*beat.tool_processes, *([beat.process] if beat.process else []))
        async with self._context.store.begin() as unit:
            session = await session_of(unit, sid, lock=True)
            session.processes = self._clean(beat.tool_processes)
            session.transcript_bytes = beat.transcript_bytes or session.transcript_bytes
            events: list[Event] = []
            if beat.process is not None:
                if _is_back(session, beat.process):
                    session.revive()
                    events.append(self._context.event("session.resumed", session, actor, reason="heartbeat"))
                session.process = beat.process
                session.last_seen_at = self._context.clock.now()
                events += await self._signalling.judge(unit, session, [], actor)
            await unit.sessions.save(session)
            await unit.publish(events)
        self._context.ring()

    def _clean(self, processes: list[ToolProcess]) -> list[ToolProcess]:
        """Take secrets out of command lines."""
        return [one.model_copy(update={"command": self._context.clean(one.command)}) for one in processes]

    async def process_gone(self, sid: str, exit_: ProcessExit, actor: str) -> Session:
        """Take note that the client's process ended. Another process than the session's own changes nothing.

        Raises:
            NotFound: there is no such session.
            Unprocessable: no process has such a creation time or exit code.
        """
        _check(exit_.process, *exit_.tool_processes)
        if exit_.exit_code is not None and abs(exit_.exit_code) > _LARGEST_EXIT_CODE:
            raise Unprocessable(f"{exit_.exit_code} is no exit code", code="no_exit_code")
        async with self._context.store.begin() as unit:
            session = await session_of(unit, sid, lock=True)
            if session.process is None or may_be_same_process(session.process, exit_.process):
                await self._on_exit(unit, session, exit_, actor)
        self._context.ring()
        return session.public()

    async def _on_exit(self, unit: Unit, session: Kept, exit_: ProcessExit, actor: str) -> None:
        session.process = exit_.process
        session.processes = self._clean(exit_.tool_processes)
        if session.state is SessionState.ACTIVE:
            await self.stop(unit, session, PROCESS_EXIT, actor, exit_code=exit_.exit_code)
            return
        if session.end_reason == HEARTBEAT_LAPSED:
            session.end_reason = PROCESS_EXIT
        await refresh_bundle(unit, session)
        await unit.sessions.save(session)

    async def end(self, sid: str, command: EndSession, actor: str) -> Session:
        """End a session on purpose.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.begin() as unit:
            session = await session_of(unit, sid, lock=True)
            if session.state is not SessionState.ENDED:
                session.turn_open = False
                await self.stop(unit, session, command.reason, actor)
        self._context.ring()
        return session.public()

    async def lapse(self, sid: str) -> None:
        """Stop a session whose client has fallen silent."""
        async with self._context.store.begin() as unit:
            session = await session_of(unit, sid, lock=True)
            if session.state is SessionState.ACTIVE:
                await self.stop(unit, session, HEARTBEAT_LAPSED, "checkpointer")
        self._context.ring()

    async def stop(self, unit: Unit, session: Kept, reason: str, actor: str, exit_code: int | None = None) -> None:
        """Leave the active state: interrupted where a turn was open, else ended."""
        state = state_after_end(turn_open=session.turn_open)
        session.finish(state, self._context.clock.now(), reason)
        events: list[Event] = []
        if state is SessionState.INTERRUPTED:
            _, event = await make_checkpoint(self._context, unit, session, Trigger.INTERRUPTION, actor)
            events.append(event)
        await refresh_bundle(unit, session)
        await unit.sessions.save(session)
        events.append(self._context.event(f"session.{state.value}", session, actor, reason=reason, exit_code=exit_code))
        await unit.publish(events)

    async def delete(self, sid: str, actor: str, *, even_active: bool = True) -> bool:
        """Remove everything stored of a session, and write down that it was done; False if it was spared.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.begin() as unit:
            session = await session_of(unit, sid, lock=True)
            if session.state is SessionState.ACTIVE and not even_active:
                return False
            await unit.sessions.delete(session)
            before = {"client": session.client, "project": session.project, "entries": session.position}
            await unit.audit(actor, "session.deleted", session.id, self._context.clock.now(), before)
        return True


def _check(*processes: ProcessRef | ToolProcess) -> None:
    for process in processes:
        if not math.isfinite(process.created):
            raise Unprocessable(f"{process.created} is no creation time of a process", code="no_creation_time")


def _is_back(session: Kept, process: ProcessRef) -> bool:
    """Whether a beat shows that a session that was over goes on: it was only silent, or has another process now."""
    if session.state is SessionState.ACTIVE:
        return False
    is_another = session.process is not None and not may_be_same_process(session.process, process)
    return is_another or session.end_reason == HEARTBEAT_LAPSED


def normal_project(path: str) -> str:
    """Return a project's folder in the one spelling that is compared."""
    return path.rstrip("/\\") or "/"
