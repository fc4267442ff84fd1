"""Watches: from the first word of a process to its end."""

from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import (
    Decision,
    End,
    EndReport,
    Incident,
    IncidentState,
    NewWatch,
    Step,
    Watch,
    WatchBeat,
    WatchState,
)
from shim_common.kernel.errors import Conflict, NotFound
from shim_common.processes import is_same_process
from shim_supervisor.domain.incident import KeptIncident, needs_nothing, opened
from shim_supervisor.domain.watch import SILENCE, KeptWatch, check_created, not_after
from shim_supervisor.ports import Unit
from shim_supervisor.usecases.closing import close
from shim_supervisor.usecases.context import Context


class Watching:
    """What happens to a watch."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def put(self, command: NewWatch, actor: str) -> tuple[Watch, bool]:
        """Watch a process, and say whether it is a new watch. Older incidents of the session end: it runs again.

        Raises:
            Unprocessable: no process has such a creation time.
        """
        check_created(command.process.created)
        now = self._context.clock.now()
        async with self._context.store.begin() as unit:
            await unit.watches.lock(command.client, command.session)
            known = await unit.watches.of_process(command.client, command.session, command.process)
            watch = known or self._new(command)
            if known is not None:
                known.claim(command)
                await unit.watches.save(known)
            else:
                await unit.watches.create(watch)
                await unit.publish(await self._resumed(unit, watch, actor))
        self._context.ring()
        return watch.public(now), known is None

    def _new(self, command: NewWatch) -> KeptWatch:
        return KeptWatch(
            id=self._context.ids.new("wch"),
            client=command.client,
            session=command.session,
            project=command.project,
            process=command.process,
            managed_by=command.managed_by,
            policy=command.policy,
            group=command.group,
            started_under_shim=command.started_under_shim,
            since=self._context.clock.now(),
        )

    async def _resumed(self, unit: Unit, watch: KeptWatch, actor: str) -> list[Event]:
        return [
            await close(self._context, unit, incident, IncidentState.RESUMED, watch.since, actor)
            for incident in await unit.incidents.standing_before(watch)
        ]

    async def beat(self, watch_id: str, beat: WatchBeat) -> None:
        """Take a sign of life. One that comes behind the end, or behind a newer one, changes nothing.

        Raises:
            NotFound: there is no such watch.
            Conflict: it is another process's.
        """
        async with self._context.store.begin() as unit:
            watch = await _watch(unit, watch_id, lock=True)
            _check_process(watch, beat.process)
            watch.beat(beat, self._context.clock.now())
            await unit.watches.save(watch)

    async def end(self, watch_id: str, report: EndReport, actor: str) -> Incident | None:
        """Take the end of a watched process: the incident it is, or None where nothing is to be done about it.

        The same report again, or another one about the same end, is answered like the first.

        Raises:
            NotFound: there is no such watch.
            Conflict: another process ended.
            Unprocessable: the report's id was used for another one, or a creation time is none.
        """
        for tool in report.end.tool_processes:
            check_created(tool.created)
        async with self._context.store.begin() as unit:
            watch = await _watch(unit, watch_id, lock=True)
            _check_process(watch, report.end.process)
            incident = await unit.incidents.of_watch(watch)
            if await self._context.is_new(unit, report.id, watch.id):
                events: list[Event] = []
                if watch.ended_at is None:
                    watch.ended_at = not_after(report.end.observed_at, self._context.clock.now())
                    await unit.watches.save(watch)
                    events.append(self._exited(watch, report.end, actor))
                if incident is None and not needs_nothing(report):
                    incident, more = await self._open(unit, watch, report, actor)
                    events += more
                await unit.publish(events)
        self._context.ring()
        return None if incident is None else incident.public()

    async def _open(
        self, unit: Unit, watch: KeptWatch, report: EndReport, actor: str
    ) -> tuple[KeptIncident, list[Event]]:
        incident = opened(
            self._context.ids.new("inc"),
            watch,
            self._clean(report.end),
            report.decision,
            not_after(report.end.observed_at, self._context.clock.now()),
        )
        await unit.incidents.create(incident)
        events = [self._decided(kind, incident, actor) for kind in _kinds(report.decision)]
        if await unit.watches.has_newer(watch):  # the report is late: the session runs again since
            now = self._context.clock.now()
            events.append(await close(self._context, unit, incident, IncidentState.RESUMED, now, actor))
        return incident, events

    def _clean(self, end: End) -> End:
        """Take secrets out of command lines."""
        tools = [one.model_copy(update={"command": self._context.clean(one.command)}) for one in end.tool_processes]
        return end.model_copy(update={"tool_processes": tools})

    def _exited(self, watch: KeptWatch, end: End, actor: str) -> Event:
        return self._context.event(
            "process.exited",
            watch,
            actor,
            watch.id,
            pid=end.process.pid,
            created=end.process.created,
            kind=end.kind.value,
            exit_code=end.exit_code,
            signal=end.signal,
            tool_processes=len(end.tool_processes),
        )

    def _decided(self, kind: str, incident: KeptIncident, actor: str) -> Event:
        decision: Decision = incident.decision
        return self._context.event(
            kind,
            incident.watch,
            actor,
            incident.id,
            kind=incident.end.kind.value,
            step=decision.step.value,
            wait_s=decision.wait_s,
            next_try_at=None if decision.next_try_at is None else decision.next_try_at.isoformat(),
            why=decision.why,
        )

    async def find(self, watch_id: str) -> Watch:
        """Return a watch.

        Raises:
            NotFound: there is no such watch.
        """
        async with self._context.store.look() as unit:
            return (await _watch(unit, watch_id)).public(self._context.clock.now())

    async def page(self, state: WatchState | None, before: int | None, limit: int) -> list[tuple[int, Watch]]:
        """Return watches with their numbers, newest first."""
        now = self._context.clock.now()
        async with self._context.store.look() as unit:
            found = await unit.watches.page(state, now - SILENCE, before, limit)
        return [(watch.no, watch.public(now)) for watch in found]


def _kinds(decision: Decision) -> list[str]:
    """Return the events of a fresh incident."""
    more = {Step.SUPPRESS: ["restart.suppressed"], Step.ESCALATE: ["incident.escalated"]}
    return ["incident.opened", *more.get(decision.step, [])]


async def _watch(unit: Unit, watch_id: str, *, lock: bool = False) -> KeptWatch:
    watch = await unit.watches.find(watch_id, lock=lock)
    if watch is None:
        raise NotFound(f"there is no watch {watch_id!r}; `shim ps` lists them", code="watch_not_found")
    return watch


def _check_process(watch: KeptWatch, process: ProcessRef) -> None:
    check_created(process.created)
    if not is_same_process(watch.process, process):
        raise Conflict(
            f"{watch.id} watches another process than {process.pid} made at {process.created}; "
            "PUT /v1/watches gives that one its own watch",
            code="another_process",
        )
