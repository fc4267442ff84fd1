"""The server over streamable HTTP, behind the gateway: each call is made with the caller's own key."""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

import uvloop
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware, get_access_token
from mcp.server.auth.middleware.bearer_auth import BearerAuthBackend, RequireAuthMiddleware
from mcp.server.auth.provider import AccessToken
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from shim_common.contracts.access import Health
from shim_common.web import serve as web
from shim_mcp.api import ApiError, HttpApi
from shim_mcp.server import create_server
from shim_mcp.settings import Settings

PATH: Final = "/mcp/"
"""With the slash: without it every message would cost a redirect first."""
MOST_BODY_BYTES: Final = 1024 * 1024
"""Tools take at most some hundred lines; a larger body is not one of theirs."""
IDLE_SECONDS: Final = 30 * 60.0
"""A session of revision 2025-11-25 without a request or an open stream for this long is forgotten."""
MOST_SESSIONS: Final = 1000
"""Far more than the clients of one machine, and a bound for a client that opens sessions in a loop."""


class CallersKey:
    """Takes the key as it comes. Whether it holds, and for what, is SHIM's to say at each call."""

    async def verify_token(self, token: str) -> AccessToken:
        """Return the caller; two keys are two callers, who never share an MCP session."""
        return AccessToken(token=token, client_id=hashlib.sha256(token.encode()).hexdigest(), scopes=[])


def create_app(settings: Settings) -> Starlette:
    """Return the ASGI application: `/mcp/` for callers with a key, `/healthz` for everyone."""
    api = HttpApi(settings.url, _key_of_caller)
    server = create_server(api)
    endpoint = server.streamable_http_app(
        streamable_http_path=PATH,
        max_request_body_size=MOST_BODY_BYTES,
        session_idle_timeout=IDLE_SECONDS,
        max_sessions=MOST_SESSIONS,
        transport_security=_names(settings.allowed_hosts),
    )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        async with api, server.session_manager.run():
            yield

    return Starlette(
        routes=[Route("/healthz", _healthz), Mount("/", app=RequireAuthMiddleware(endpoint, []))],
        middleware=[
            Middleware(AuthenticationMiddleware, backend=BearerAuthBackend(CallersKey())),
            Middleware(AuthContextMiddleware),
        ],
        lifespan=lifespan,
    )


def main() -> None:
    """Serve on `SHIM_MCP_URL` until SIGTERM or SIGINT."""
    settings = Settings()
    if settings.mcp_url is None:
        raise SystemExit("SHIM_MCP_URL is not set; give unix:///path/mcp.sock or http://host:port")
    uvloop.run(web.run(create_app(settings), settings.mcp_url))


def _key_of_caller() -> str:
    caller = get_access_token()
    if caller is None:
        raise ApiError("This call came without a key; `shim connect` gives the client one.", code="no_key")
    return caller.token


def _names(hosts: tuple[str, ...]) -> TransportSecuritySettings:
    """Allow these names with any port, and pages that were served under them."""
    origins = [f"{scheme}://{host}" for scheme in ("http", "https") for host in hosts]
    return TransportSecuritySettings(
        allowed_hosts=[name for host in hosts for name in (host, f"{host}:*")],
        allowed_origins=[name for origin in origins for name in (origin, f"{origin}:*")],
    )


async def _healthz(_request: Request) -> JSONResponse:
    return JSONResponse(Health(status="ok").model_dump())
