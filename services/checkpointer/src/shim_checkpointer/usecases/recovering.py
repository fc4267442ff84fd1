"""Answering whether something was interrupted, and with what it can go on."""

from datetime import timedelta

from shim_checkpointer.domain.clients import resume_command
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.ports import SessionFilter, Unit
from shim_checkpointer.usecases.bundling import build_bundle
from shim_checkpointer.usecases.context import Context, session_of
from shim_checkpointer.usecases.sessions import PROCESS_EXIT, normal_project
from shim_common.contracts.sessions import Confidence, Recovery, SessionState
from shim_common.kernel.errors import BadInput

_LOOKED_AT = 20


class Recovering:
    """Finds what was interrupted."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def recovery(self, *, project: str | None, sid: str | None) -> Recovery:
        """Return the answer for a project or a session.

        Raises:
            BadInput: neither is named.
            NotFound: there is no such session.
        """
        async with self._context.store.look() as unit:
            if sid is not None:
                return await self._answer(unit, await session_of(unit, sid), [])
            if project is None:
                raise BadInput("name a project (its absolute folder) or a session", code="nothing_named")
            return await self._of_project(unit, normal_project(project))

    async def _of_project(self, unit: Unit, project: str) -> Recovery:
        sessions = await unit.sessions.page(SessionFilter(project=project), None, _LOOKED_AT)
        stopped = sorted(filter(self._is_interrupted, sessions), key=lambda kept: kept.last_seen_at, reverse=True)
        if not stopped:
            why = f"no session in {project} is interrupted; {len(sessions)} are known there"
            return Recovery(interrupted=False, session=None, confidence=Confidence.NONE, why=why)
        return await self._answer(unit, stopped[0], [kept.client_session_id for kept in stopped[1:]])

    async def _answer(self, unit: Unit, session: Kept, others: list[str]) -> Recovery:
        bundle, pending = await build_bundle(unit, session)
        interrupted = self._is_interrupted(session)
        certain = session.state is SessionState.ACTIVE or session.end_reason == PROCESS_EXIT
        return Recovery(
            interrupted=interrupted,
            session=session.public(),
            confidence=Confidence.CERTAIN if certain and not self._is_silent(session) else Confidence.LIKELY,
            why=self._why(session),
            bundle=bundle,
            pending=pending,
            resume=resume_command(session.client, session.client_session_id),
            others=others,
        )

    def _is_interrupted(self, session: Kept) -> bool:
        return session.state is SessionState.INTERRUPTED or (session.turn_open and self._is_silent(session))

    def _is_silent(self, session: Kept) -> bool:
        lapse = timedelta(seconds=self._context.parameters.value("heartbeat_lapse_s"))
        return session.state is SessionState.ACTIVE and self._context.clock.now() - session.last_seen_at > lapse

    def _why(self, session: Kept) -> str:
        seen = f"last seen {session.last_seen_at:%Y-%m-%d %H:%M:%S} UTC"
        if session.state is SessionState.ENDED:
            return f"the session ended ({session.end_reason}) with no turn open; {seen}"
        if session.end_reason == PROCESS_EXIT:
            return f"its process ended while a turn was open; {seen}"
        if session.state is SessionState.INTERRUPTED or self._is_silent(session):
            return f"its heartbeat stopped while a turn was {'open' if session.turn_open else 'not open'}; {seen}"
        return f"the session is running; {seen}"
