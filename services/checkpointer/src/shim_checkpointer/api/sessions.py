"""Sessions, their life and their entries."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from shim_checkpointer.api.common import READING, WRITING, Sid
from shim_checkpointer.metrics import Metrics
from shim_checkpointer.ports import SessionFilter
from shim_checkpointer.usecases.appending import Appending
from shim_checkpointer.usecases.sessions import SessionLife, normal_project
from shim_checkpointer.usecases.viewing import Viewing
from shim_common.contracts.access import Scope
from shim_common.contracts.sessions import (
    Appended,
    AppendEntries,
    EndSession,
    EntryPage,
    Heartbeat,
    Integrity,
    NewSession,
    ProcessExit,
    Session,
    SessionPage,
    SessionSource,
    SessionState,
)
from shim_common.kernel.idempotency import Once
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.idempotency import answered, once_of
from shim_common.web.tokens import CurrentCaller, require

_Text = Query(max_length=4096, pattern=r"^[^\x00]*$")


def router(life: SessionLife, appending: Appending, viewing: Viewing, metrics: Metrics) -> APIRouter:
    """Return the routes of sessions."""
    routes = service_router("sessions")

    @routes.post(
        "/v1/sessions",
        status_code=201,
        response_model=Session,
        responses={200: {"model": Session, "description": "The session is known."}, **WRITING},
        dependencies=[require(Scope.INGEST)],
    )
    async def open_session(
        command: NewSession, caller: CurrentCaller, once: Annotated[Once | None, Depends(once_of)]
    ) -> Response:
        """Open a session, or find the one with this client id."""
        return answered(await life.open(command, caller.key_id, once))

    @routes.get("/v1/sessions", responses=READING, dependencies=[require(Scope.READ)])
    async def list_sessions(
        project: Annotated[str | None, _Text] = None,
        state: SessionState | None = None,
        client: Annotated[str | None, _Text] = None,
        tool_use_id: Annotated[str | None, _Text] = None,
        limit: pages.Limit = pages.DEFAULT_LIMIT,
        cursor: pages.Cursor = None,
    ) -> SessionPage:
        """List sessions, newest first; `tool_use_id` finds the one a hook saw that call in."""
        wanted = SessionFilter(normal_project(project) if project else None, state, client, tool_use_id)
        found = await life.page(wanted, pages.decode(cursor, int), limit)
        following = pages.encode(found[-1][0]) if len(found) == limit else None
        return SessionPage(items=[session for _, session in found], next_cursor=following)

    @routes.get("/v1/sessions/{sid}", responses=READING, dependencies=[require(Scope.READ)])
    async def get_session(sid: Sid) -> Session:
        """Return a session."""
        return await life.find(sid)

    @routes.delete("/v1/sessions/{sid}", status_code=204, responses=WRITING, dependencies=[require(Scope.CONTROL)])
    async def delete_session(sid: Sid, caller: CurrentCaller) -> Response:
        """Remove everything stored of a session."""
        await life.delete(sid, caller.key_id)
        return Response(status_code=204)

    @routes.post("/v1/sessions/{sid}/entries", responses=WRITING, dependencies=[require(Scope.INGEST)])
    async def append_entries(sid: Sid, command: AppendEntries, caller: CurrentCaller) -> Appended:
        """Append entries to the log, all or none; committed when answered."""
        with metrics.append_seconds.time():
            appended = await appending.append(sid, command, caller.key_id)
        metrics.entries.inc(appended.appended)
        metrics.duplicates.inc(appended.duplicates)
        return appended

    @routes.get("/v1/sessions/{sid}/entries", responses=READING, dependencies=[require(Scope.READ)])
    async def list_entries(
        sid: Sid,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Position behind which to start.")] = 0,
        limit: pages.Limit = pages.DEFAULT_LIMIT,
        cursor: pages.Cursor = None,
    ) -> EntryPage:
        """List entries, oldest first."""
        start = pages.decode(cursor, int) or after
        items = await viewing.entries(sid, start, limit)
        following = pages.encode(items[-1].position) if len(items) == limit else None
        return EntryPage(items=items, next_cursor=following)

    @routes.get("/v1/sessions/{sid}/sources", responses=READING, dependencies=[require(Scope.READ)])
    async def list_sources(sid: Sid) -> list[SessionSource]:
        """List the files that entries came from and how far each is stored."""
        return await life.sources(sid)

    @routes.get("/v1/sessions/{sid}/integrity", responses=READING, dependencies=[require(Scope.READ)])
    async def verify_session(sid: Sid) -> Integrity:
        """Recompute every hash of the log."""
        return await viewing.integrity(sid)

    @routes.post(
        "/v1/sessions/{sid}/heartbeat", status_code=204, responses=WRITING, dependencies=[require(Scope.INGEST)]
    )
    async def beat(sid: Sid, command: Heartbeat, caller: CurrentCaller) -> Response:
        """Say that the session's client is alive."""
        await life.beat(sid, command, caller.key_id)
        return Response(status_code=204)

    @routes.post("/v1/sessions/{sid}/exit", responses=WRITING, dependencies=[require(Scope.INGEST)])
    async def process_gone(sid: Sid, command: ProcessExit, caller: CurrentCaller) -> Session:
        """Say that the session's client process is gone."""
        return await life.process_gone(sid, command, caller.key_id)

    @routes.post("/v1/sessions/{sid}/end", responses=WRITING, dependencies=[require(Scope.INGEST)])
    async def end_session(sid: Sid, command: EndSession, caller: CurrentCaller) -> Session:
        """End a session on purpose."""
        return await life.end(sid, command, caller.key_id)

    return routes
