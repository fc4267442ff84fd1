"""Watches, their beats and their ends."""

from fastapi import APIRouter, Response

from shim_common.contracts.access import Scope
from shim_common.contracts.supervision import (
    EndReport,
    Incident,
    NewWatch,
    Watch,
    WatchBeat,
    WatchPage,
    WatchState,
)
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.idempotency import answered
from shim_common.web.tokens import CurrentCaller, require
from shim_supervisor.api.common import READING, WRITING, WatchId
from shim_supervisor.usecases.watching import Watching


def router(watching: Watching) -> APIRouter:
    """Return the routes of watches."""
    routes = service_router("watches")

    @routes.put(
        "/v1/watches",
        response_model=Watch,
        responses={201: {"model": Watch, "description": "The watch is new."}, **WRITING},
        dependencies=[require(Scope.INGEST)],
    )
    async def put_watch(command: NewWatch, caller: CurrentCaller) -> Response:
        """Watch a process from now on; the same process for the same session again is the same watch."""
        watch, is_new = await watching.put(command, caller.key_id)
        return answered((201 if is_new else 200, watch.model_dump_json().encode()))

    @routes.get("/v1/watches", responses=READING, dependencies=[require(Scope.READ)])
    async def list_watches(
        state: WatchState | None = None, limit: pages.Limit = pages.DEFAULT_LIMIT, cursor: pages.Cursor = None
    ) -> WatchPage:
        """List watches, newest first."""
        found = await watching.page(state, pages.decode(cursor, int), limit)
        following = pages.encode(found[-1][0]) if len(found) == limit else None
        return WatchPage(items=[watch for _, watch in found], next_cursor=following)

    @routes.get("/v1/watches/{watch_id}", responses=READING, dependencies=[require(Scope.READ)])
    async def get_watch(watch_id: WatchId) -> Watch:
        """Return a watch."""
        return await watching.find(watch_id)

    @routes.post(
        "/v1/watches/{watch_id}/beat", status_code=204, responses=WRITING, dependencies=[require(Scope.INGEST)]
    )
    async def beat_watch(watch_id: WatchId, command: WatchBeat) -> Response:
        """Say that the process is alive."""
        await watching.beat(watch_id, command)
        return Response(status_code=204)

    @routes.post(
        "/v1/watches/{watch_id}/end",
        response_model=Incident,
        responses={204: {"description": "Taken; nothing is to be done about it."}, **WRITING},
        dependencies=[require(Scope.INGEST)],
    )
    async def end_watch(watch_id: WatchId, command: EndReport, caller: CurrentCaller) -> Response:
        """Say that the process ended, and what its owner decided; the same report twice is one."""
        incident = await watching.end(watch_id, command, caller.key_id)
        if incident is None:
            return Response(status_code=204)
        return answered((200, incident.model_dump_json().encode()))

    return routes
