"""Hook events of Claude Code and Codex."""

from typing import Annotated

from fastapi import APIRouter, Body, Header, Path, Response

from shim_checkpointer.api.common import WRITING
from shim_checkpointer.domain.clients import HookedClient
from shim_checkpointer.usecases.hooking import Hooking
from shim_common.contracts.access import Scope
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import HookAnswer
from shim_common.web.app import service_router
from shim_common.web.tokens import CurrentCaller, require


def router(hooking: Hooking) -> APIRouter:
    """Return the routes of hooks."""
    routes = service_router("hooks")

    @routes.post(
        "/v1/hooks/{client}/{event}",
        response_model=HookAnswer,
        responses={204: {"description": "Stored; there is nothing to say."}, **WRITING},
        dependencies=[require(Scope.INGEST)],
    )
    async def take_hook(
        client: Annotated[HookedClient, Path(description="Whose hook it is.")],
        event: Annotated[str, Path(pattern=r"^[A-Za-z]{1,64}$", examples=["PreToolUse"])],
        payload: Annotated[JsonObject, Body(description="What the client gives its hook.")],
        caller: CurrentCaller,
        x_shim_client_pid: Annotated[int | None, Header(gt=0, lt=2**31)] = None,
    ) -> Response:
        """Take what a hook saw; the answer is what the hook prints."""
        answer = await hooking.take(client, event, payload, x_shim_client_pid, caller.key_id)
        if answer is None:
            return Response(status_code=204)
        return Response(answer.model_dump_json(exclude_none=True), media_type="application/json")

    return routes
