"""The history of events; the gateway streams the live ones."""

from typing import Annotated

from fastapi import APIRouter, Query

from shim_checkpointer.api.common import READING
from shim_checkpointer.usecases.context import Context
from shim_common.contracts.access import Scope
from shim_common.contracts.envelope import EventPage
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.tokens import require

_Id = Query(max_length=200, pattern=r"^[^\x00]*$")


def router(context: Context) -> APIRouter:
    """Return the routes of events."""
    routes = service_router("events")

    @routes.get("/v1/events", responses=READING, dependencies=[require(Scope.READ)])
    async def list_events(
        after: Annotated[str | None, _Id] = None,
        types: Annotated[str | None, _Id] = None,
        session: Annotated[str | None, _Id] = None,
        limit: pages.Limit = pages.DEFAULT_LIMIT,
    ) -> EventPage:
        """List published events after the one with this id, oldest first; `types` is a list with commas."""
        wanted = [kind for kind in (types or "").split(",") if kind]
        async with context.store.begin() as unit:
            items = await unit.history(after=after, limit=limit, types=wanted, session=session)
        return EventPage(items=items, next_cursor=items[-1].id if len(items) == limit else None)

    return routes
