"""Restart policies."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from shim_common.contracts.access import Scope
from shim_common.contracts.supervision import Policy, PolicyList
from shim_common.web.app import service_router
from shim_common.web.tokens import CurrentCaller, require
from shim_supervisor.api.common import READING, WRITING
from shim_supervisor.usecases.policies import Policies

PolicyName = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$", examples=["default"])]


def router(policies: Policies) -> APIRouter:
    """Return the routes of policies."""
    routes = service_router("policies")

    @routes.get("/v1/policies", responses=READING, dependencies=[require(Scope.READ)])
    async def list_policies() -> PolicyList:
        """List all policies; the default one is always there."""
        return PolicyList(items=await policies.all())

    @routes.put("/v1/policies/{name}", responses=WRITING, dependencies=[require(Scope.CONTROL)])
    async def put_policy(name: PolicyName, command: Policy, caller: CurrentCaller) -> Policy:
        """Set a policy; what the body leaves out takes its default."""
        return await policies.put(name, command, caller.key_id)

    @routes.delete("/v1/policies/{name}", status_code=204, responses=WRITING, dependencies=[require(Scope.CONTROL)])
    async def delete_policy(name: PolicyName, caller: CurrentCaller) -> Response:
        """Remove a policy; watches that name it go by the default one."""
        await policies.delete(name, caller.key_id)
        return Response(status_code=204)

    return routes
