"""Incidents: what is done about an end, and what a person wants done."""

from pydantic import BaseModel

from shim_common.contracts.supervision import (
    Attempt,
    AttemptOutcome,
    AttemptReport,
    Incident,
    IncidentState,
    RestartRequest,
)
from shim_common.kernel.errors import Conflict, NotFound
from shim_common.kernel.idempotency import Once, once
from shim_supervisor.domain.incident import KeptIncident
from shim_supervisor.domain.watch import not_after
from shim_supervisor.ports import IncidentFilter, Unit
from shim_supervisor.usecases.closing import close
from shim_supervisor.usecases.context import Context


class Incidents:
    """What happens to an incident."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def find(self, incident_id: str) -> Incident:
        """Return an incident.

        Raises:
            NotFound: there is no such incident.
        """
        async with self._context.store.look() as unit:
            return (await _incident(unit, incident_id)).public()

    async def page(self, wanted: IncidentFilter, before: int | None, limit: int) -> list[tuple[int, Incident]]:
        """Return incidents with their numbers, newest first."""
        async with self._context.store.look() as unit:
            found = await unit.incidents.page(wanted, before, limit)
        return [(incident.no, incident.public()) for incident in found]

    async def attempt(self, incident_id: str, report: AttemptReport, actor: str) -> Incident:
        """Take note that the client was started again, or could not be. One that runs ends the incident.

        Raises:
            NotFound: there is no such incident.
            Unprocessable: the report's id was used for another one.
        """
        async with self._context.store.begin() as unit:
            incident = await _incident(unit, incident_id, lock=True)
            if await self._context.is_new(unit, report.id, incident.id):
                await self._note(unit, incident, report, actor)
        self._context.ring()
        return incident.public()

    async def _note(self, unit: Unit, incident: KeptIncident, report: AttemptReport, actor: str) -> None:
        attempt = Attempt(
            at=not_after(report.at, self._context.clock.now()),
            outcome=report.outcome,
            pid=report.pid,
            launcher=report.launcher,
            why=self._context.clean(report.why),
        )
        await unit.incidents.add_attempt(incident, attempt)
        data = attempt.model_dump(mode="json", exclude={"at"})
        events = [self._context.event("restart.attempted", incident.watch, actor, incident.id, **data)]
        if report.outcome is AttemptOutcome.RUNNING and incident.state is not IncidentState.RESUMED:
            resumed = await close(self._context, unit, incident, IncidentState.RESUMED, attempt.at, actor)
            events.append(resumed)
        await unit.publish(events)

    async def restart(
        self, incident_id: str, command: RestartRequest, actor: str, request: Once | None
    ) -> tuple[int, bytes]:
        """Ask the session's owner to start it again.

        Raises:
            NotFound: there is no such incident.
            Conflict: the session runs again already.
            Unprocessable: the Idempotency-Key was used for another request.
        """
        async with self._context.store.begin() as unit:

            async def ask() -> tuple[int, BaseModel]:
                incident = await _unresumed(unit, incident_id)
                incident.reopen()
                await unit.incidents.save(incident)
                requested = self._context.event(
                    "restart.requested",
                    incident.watch,
                    actor,
                    incident.id,
                    launcher=command.launcher,
                    tools=None if command.tools is None else command.tools.value,
                )
                await unit.publish([requested])
                return 202, incident.public()

            answer = await once(unit.requests, request, ask, self._context.clock.now())
        self._context.ring()
        return answer

    async def dismiss(self, incident_id: str, actor: str) -> Incident:
        """Close an incident that nobody wants anything done about; one that is dismissed stays as it is.

        Raises:
            NotFound: there is no such incident.
            Conflict: the session runs again already.
        """
        async with self._context.store.begin() as unit:
            incident = await _unresumed(unit, incident_id)
            if not incident.is_closed:
                now = self._context.clock.now()
                dismissed = await close(self._context, unit, incident, IncidentState.DISMISSED, now, actor)
                await unit.publish([dismissed])
        self._context.ring()
        return incident.public()


async def _incident(unit: Unit, incident_id: str, *, lock: bool = False) -> KeptIncident:
    incident = await unit.incidents.find(incident_id, lock=lock)
    if incident is None:
        raise NotFound(f"there is no incident {incident_id!r}; `shim incidents` lists them", code="incident_not_found")
    return incident


async def _unresumed(unit: Unit, incident_id: str) -> KeptIncident:
    incident = await _incident(unit, incident_id, lock=True)
    if incident.state is IncidentState.RESUMED:
        raise Conflict("the session runs again already; `shim ps` shows where", code="resumed")
    return incident
