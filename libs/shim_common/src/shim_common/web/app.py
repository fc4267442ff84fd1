"""The factory of every service's application."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.responses import JSONResponse, Response

from shim_common.contracts.access import Health, Scope
from shim_common.observability.metrics import exposition, instrument
from shim_common.web import problems
from shim_common.web.bodies import StrictRoute
from shim_common.web.tokens import TokenMaker, require

Ready = Callable[[], Awaitable[bool]]
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_service_app(
    *,
    title: str,
    version: str,
    routers: Sequence[APIRouter],
    tokens: TokenMaker,
    registry: CollectorRegistry,
    ready: Ready,
    lifespan: Lifespan,
) -> FastAPI:
    """Return an application with errors, trust, health and metrics in place."""
    app = FastAPI(
        title=title,
        version=version,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=operation_id,
    )
    app.router.route_class = StrictRoute
    app.state.tokens = tokens
    problems.install(app)
    instrument(app, registry)
    for router in routers:
        app.include_router(router)
    app.include_router(_health(ready, registry))
    return app


def operation_id(route: APIRoute) -> str:
    """Return the name of the route's function; clients that are generated from the document call it that."""
    return route.name


def service_router(tag: str) -> APIRouter:
    """Return a router whose bodies are read strictly."""
    return APIRouter(tags=[tag], route_class=StrictRoute)


def _health(ready: Ready, registry: CollectorRegistry) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/healthz", include_in_schema=False)
    async def healthz() -> Health:
        return Health(status="ok")

    @router.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        is_ready = await ready()
        return JSONResponse({"status": "ok" if is_ready else "unavailable"}, 200 if is_ready else 503)

    @router.get("/metrics", include_in_schema=False, dependencies=[require(Scope.READ)])
    async def metrics() -> Response:
        return exposition(registry)

    return router
