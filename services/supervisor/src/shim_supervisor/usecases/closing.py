"""The end of an incident."""

from datetime import datetime

from shim_common.contracts.envelope import Event
from shim_common.contracts.supervision import IncidentState
from shim_supervisor.domain.incident import KeptIncident
from shim_supervisor.ports import Unit
from shim_supervisor.usecases.context import Context


async def close(
    context: Context, unit: Unit, incident: KeptIncident, state: IncidentState, at: datetime, actor: str
) -> Event:
    """Close an incident and return the event that says so; `seconds` is how long it took."""
    incident.close(state, at)
    await unit.incidents.save(incident)
    seconds = ((incident.closed_at or at) - incident.opened_at).total_seconds()
    return context.event("incident.resolved", incident.watch, actor, incident.id, state=state.value, seconds=seconds)
