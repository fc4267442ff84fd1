"""Incidents and what is done about them. What is run is in the user's own configuration, never in a request."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from shim_common.contracts.access import Scope
from shim_common.contracts.supervision import (
    AttemptReport,
    Incident,
    IncidentPage,
    IncidentState,
    RestartRequest,
)
from shim_common.kernel.idempotency import Once
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.idempotency import answered, once_of
from shim_common.web.tokens import CurrentCaller, require
from shim_supervisor.api.common import READING, WRITING, IncidentId, Text
from shim_supervisor.ports import IncidentFilter
from shim_supervisor.usecases.incidents import Incidents


def router(incidents: Incidents) -> APIRouter:
    """Return the routes of incidents."""
    routes = service_router("incidents")

    @routes.get("/v1/incidents", responses=READING, dependencies=[require(Scope.READ)])
    async def list_incidents(
        state: IncidentState | None = None,
        session: Annotated[str | None, Text] = None,
        limit: pages.Limit = pages.DEFAULT_LIMIT,
        cursor: pages.Cursor = None,
    ) -> IncidentPage:
        """List incidents, newest first; `session` is the client's own id."""
        found = await incidents.page(IncidentFilter(state, session), pages.decode(cursor, int), limit)
        following = pages.encode(found[-1][0]) if len(found) == limit else None
        return IncidentPage(items=[incident for _, incident in found], next_cursor=following)

    @routes.get("/v1/incidents/{incident_id}", responses=READING, dependencies=[require(Scope.READ)])
    async def get_incident(incident_id: IncidentId) -> Incident:
        """Return an incident."""
        return await incidents.find(incident_id)

    @routes.post("/v1/incidents/{incident_id}/attempts", responses=WRITING, dependencies=[require(Scope.INGEST)])
    async def add_attempt(incident_id: IncidentId, command: AttemptReport, caller: CurrentCaller) -> Incident:
        """Say that the client was started again, or could not be; the same report twice is one."""
        return await incidents.attempt(incident_id, command, caller.key_id)

    @routes.post(
        "/v1/incidents/{incident_id}/restart",
        status_code=202,
        response_model=Incident,
        responses=WRITING,
        dependencies=[require(Scope.CONTROL)],
    )
    async def restart_session(
        incident_id: IncidentId,
        command: RestartRequest,
        caller: CurrentCaller,
        once: Annotated[Once | None, Depends(once_of)],
    ) -> Response:
        """Ask the session's owner to start it again."""
        return answered(await incidents.restart(incident_id, command, caller.key_id, once))

    @routes.post("/v1/incidents/{incident_id}/dismiss", responses=WRITING, dependencies=[require(Scope.CONTROL)])
    async def dismiss_incident(incident_id: IncidentId, caller: CurrentCaller) -> Incident:
        """Close an incident that nobody wants anything done about."""
        return await incidents.dismiss(incident_id, caller.key_id)

    return routes
