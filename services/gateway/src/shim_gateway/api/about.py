"""What the stack says about itself: version, health, metrics, and one OpenAPI document for all services."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import aiohttp
import orjson
from fastapi import APIRouter, FastAPI, Request, Response
from prometheus_client import CollectorRegistry
from starlette.responses import JSONResponse

from shim_common.contracts.access import Health, Scope, Version
from shim_common.db.database import Database
from shim_common.kernel.errors import Forbidden, NotFound, Unauthorized, Unavailable
from shim_common.observability.metrics import exposition
from shim_common.web.app import service_router
from shim_common.web.problems import documented
from shim_common.web.tokens import HEADER
from shim_gateway.api import openapi
from shim_gateway.api.access import caller_of, require
from shim_gateway.api.passing import Tokens
from shim_gateway.clients import Service

DATA_VERSION = 1
OLDEST_CLIENT = "0.1.0"
_ERRORS = documented(Unauthorized, Forbidden, NotFound, Unavailable)


@dataclass(frozen=True)
class Stack:
    """What there is to tell about."""

    services: Sequence[Service]
    documented: Sequence[Service]
    database: Database
    registry: CollectorRegistry
    tokens: Tokens
    own: FastAPI


def router(stack: Stack) -> APIRouter:
    """Return the routes about the stack."""
    routes = service_router("about")

    @routes.get("/healthz")
    async def healthz() -> Health:
        """Say that the process lives."""
        return Health(status="ok")

    @routes.get("/readyz", response_model=Health, responses={503: {"model": Health, "description": "Not ready."}})
    async def readyz() -> Response:
        """Say whether requests can be served: yes or no, nothing else without a key."""
        ready = await stack.database.is_ready() and all([await service.is_ready() for service in stack.services])
        return JSONResponse({"status": "ok" if ready else "unavailable"}, 200 if ready else 503)

    @routes.get("/v1/version", responses=_ERRORS, dependencies=[require(Scope.READ)])
    async def get_version() -> Version:
        """Return what this stack speaks."""
        return Version(version=version("shim-gateway"), data=DATA_VERSION, oldest_client=OLDEST_CLIENT)

    @routes.get("/metrics", include_in_schema=False, dependencies=[require(Scope.READ)])
    async def own_metrics() -> Response:
        return exposition(stack.registry)

    @routes.get("/metrics/{name}", include_in_schema=False, dependencies=[require(Scope.READ)])
    async def service_metrics(name: str, request: Request) -> Response:
        service = next((service for service in stack.documented if service.name == name), None)
        if service is None:
            raise NotFound(f"there is no service {name!r} with figures of its own")
        body, media_type = await _fetch(service, "/metrics", stack.tokens.of(caller_of(request)))
        return Response(body, media_type=media_type)

    @routes.get("/openapi.json", include_in_schema=False, dependencies=[require(Scope.READ)])
    async def get_openapi(request: Request) -> JSONResponse:
        token = stack.tokens.of(caller_of(request))
        theirs = [orjson.loads((await _fetch(service, "/openapi.json", token))[0]) for service in stack.documented]
        return JSONResponse(openapi.merged(stack.own.openapi(), theirs))

    return routes


async def _fetch(service: Service, path: str, token: str) -> tuple[bytes, str]:
    try:
        async with service.session.get(service.url(path), headers={HEADER: token}) as answer:
            answer.raise_for_status()
            return await answer.read(), answer.headers.get("content-type", "application/octet-stream")
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable(f"{service.name} is not answering", retry_after=1) from error
