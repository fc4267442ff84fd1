"""Signals and risk: judged with every change of a session, kept with their history."""

from collections.abc import Sequence

from shim_checkpointer.domain import signals
from shim_checkpointer.domain.log import LogEntry
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.domain.signals import Raised
from shim_checkpointer.ports import Unit
from shim_checkpointer.usecases.context import Context, session_of
from shim_checkpointer.usecases.foreseeing import Foreseeing
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import Signal, SignalReport


class Signalling:
    """Raises and clears signals."""

    def __init__(self, context: Context, foreseeing: Foreseeing) -> None:
        self._context = context
        self._foreseeing = foreseeing

    async def judge(self, unit: Unit, session: Kept, fresh: Sequence[LogEntry], actor: str) -> list[Event]:
        """Compare the session with the thresholds; return the events of what changed."""
        report = await self._foreseeing.step(unit, session, fresh)
        now = self._context.clock.now()
        standing = {signal.name: signal for signal in self._standing(session)}
        if report is not None and report.alarm:
            standing["risk"] = Raised("risk", report.probability, 0.5, report.why)
        events: list[Event] = []
        for name, signal in standing.items():
            if name not in session.raised:
                await unit.signals.raise_(session, signal, now)
                events.append(self._event("signal.raised", session, signal, actor))
        for name in sorted(set(session.raised) - standing.keys()):
            await unit.signals.clear(session, name, now)
            events.append(self._context.event("signal.cleared", session, actor, name=name))
        session.raised = sorted(standing)
        return events

    async def report(self, sid: str) -> SignalReport:
        """Return what is measured of a session now.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.begin() as unit:
            session = await session_of(unit, sid)
            up = await unit.signals.up(session)
        return SignalReport(
            session_id=session.id,
            measures=self._measures(session),
            raised=list(up.values()),
            risk=self._foreseeing.report(session),
        )

    async def history(self, sid: str, before: int | None, limit: int) -> list[tuple[int, Signal]]:
        """Return the signals of a session with their numbers, newest first.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.begin() as unit:
            return await unit.signals.page(await session_of(unit, sid), before, limit)

    def _measures(self, session: Kept) -> dict[str, float]:
        return signals.measure(
            session.digest,
            started_at=session.started_at,
            now=session.ended_at or self._context.clock.now(),
            transcript_bytes=session.transcript_bytes,
        )

    def _standing(self, session: Kept) -> list[Raised]:
        def value(name: str) -> float:
            return self._context.parameters.value(name, session.chain_id)

        return signals.raised(self._measures(session), session.digest, value)

    def _event(self, kind: str, session: Kept, signal: Raised, actor: str) -> Event:
        return self._context.event(
            kind, session, actor, name=signal.name, value=signal.value, threshold=signal.threshold, why=signal.why
        )
