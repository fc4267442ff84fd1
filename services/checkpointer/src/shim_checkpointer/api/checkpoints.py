"""Checkpoints and recovery."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Response

from shim_checkpointer.api.common import READING, WRITING, Sid
from shim_checkpointer.usecases.recovering import Recovering
from shim_checkpointer.usecases.viewing import Viewing
from shim_common.contracts.access import Scope
from shim_common.contracts.sessions import Checkpoint, CheckpointPage, CheckpointState, NewCheckpoint, Recovery
from shim_common.kernel.idempotency import Once
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.idempotency import answered, once_of
from shim_common.web.tokens import CurrentCaller, require


def router(viewing: Viewing, recovering: Recovering) -> APIRouter:
    """Return the routes of checkpoints."""
    routes = service_router("checkpoints")

    @routes.post(
        "/v1/sessions/{sid}/checkpoints",
        status_code=201,
        response_model=Checkpoint,
        responses=WRITING,
        dependencies=[require(Scope.INGEST)],
    )
    async def make_checkpoint(
        sid: Sid, command: NewCheckpoint, caller: CurrentCaller, once: Annotated[Once | None, Depends(once_of)]
    ) -> Response:
        """Make a checkpoint now."""
        return answered(await viewing.make(sid, command, caller.key_id, once))

    @routes.get("/v1/sessions/{sid}/checkpoints", responses=READING, dependencies=[require(Scope.READ)])
    async def list_checkpoints(
        sid: Sid, limit: pages.Limit = pages.DEFAULT_LIMIT, cursor: pages.Cursor = None
    ) -> CheckpointPage:
        """List the checkpoints of a session, newest first."""
        items = await viewing.page(sid, pages.decode(cursor, int), limit)
        following = pages.encode(items[-1].number) if len(items) == limit else None
        return CheckpointPage(items=items, next_cursor=following)

    @routes.get("/v1/checkpoints/{checkpoint_id}", responses=READING, dependencies=[require(Scope.READ)])
    async def get_checkpoint(
        checkpoint_id: Annotated[str, Path(pattern=r"^ckp_[0-9a-f]{32}$")],
    ) -> CheckpointState:
        """Return what a checkpoint holds; every hash up to it is recomputed."""
        return await viewing.state(checkpoint_id)

    @routes.get("/v1/recovery", responses=READING, dependencies=[require(Scope.READ)])
    async def get_recovery(
        project: Annotated[str | None, Query(max_length=4096, pattern=r"^[^\x00]+$")] = None,
        session: Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]+$")] = None,
    ) -> Recovery:
        """Say whether a session was interrupted, how sure that is, and give the resume bundle."""
        return await recovering.recovery(project=project, sid=session)

    return routes
