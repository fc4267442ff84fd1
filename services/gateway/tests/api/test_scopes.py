"""Checks 6 and 10: what each scope opens. A new route needs a line in the table."""

import re

import httpx
import pytest
import pytest_asyncio

from shim_common.contracts.access import Scope
from shim_common.contracts.base import JsonObject

from .harness import Gateway, make_key
from .routes import UNDOCUMENTED, Route, documented_routes

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ, INGEST, CONTROL, ADMIN = Scope.READ, Scope.INGEST, Scope.CONTROL, Scope.ADMIN
SCOPES: dict[str, Scope | None] = {
    "GET /healthz": None,
    "GET /readyz": None,
    "GET /metrics": READ,
    "GET /metrics/checkpointer": READ,
    "GET /openapi.json": READ,
    "POST /mcp/": None,  # every call it makes is made with the caller's own key
    "GET /v1/version": READ,
    "GET /v1/keys": ADMIN,
    "POST /v1/keys": ADMIN,
    "POST /v1/keys/{key_id}/rotate": ADMIN,
    "POST /v1/keys/{key_id}/revoke": ADMIN,
    "GET /v1/audit": ADMIN,
    "GET /v1/events": READ,
    "GET /v1/events/stream": READ,
    "POST /v1/sessions": INGEST,
    "GET /v1/sessions": READ,
    "GET /v1/sessions/{sid}": READ,
    "DELETE /v1/sessions/{sid}": CONTROL,
    "POST /v1/sessions/{sid}/entries": INGEST,
    "GET /v1/sessions/{sid}/entries": READ,
    "GET /v1/sessions/{sid}/sources": READ,
    "GET /v1/sessions/{sid}/integrity": READ,
    "POST /v1/sessions/{sid}/heartbeat": INGEST,
    "POST /v1/sessions/{sid}/exit": INGEST,
    "POST /v1/sessions/{sid}/end": INGEST,
    "GET /v1/sessions/{sid}/signals": READ,
    "GET /v1/sessions/{sid}/signals/history": READ,
    "GET /v1/sessions/{sid}/risk": READ,
    "GET /v1/parameters": READ,
    "POST /v1/sessions/{sid}/checkpoints": INGEST,
    "GET /v1/sessions/{sid}/checkpoints": READ,
    "GET /v1/checkpoints/{checkpoint_id}": READ,
    "GET /v1/recovery": READ,
    "GET /v1/search": READ,
    "POST /v1/blobs/missing": INGEST,
    "PUT /v1/blobs/{sha256}": INGEST,
    "GET /v1/blobs/{sha256}": READ,
    "POST /v1/sessions/{sid}/snapshots": INGEST,
    "GET /v1/sessions/{sid}/snapshots": READ,
    "GET /v1/snapshots/{snapshot_id}": READ,
    "POST /v1/hooks/{client}/{event}": INGEST,
    "GET /metrics/supervisor": READ,
    "PUT /v1/watches": INGEST,
    "GET /v1/watches": READ,
    "GET /v1/watches/{watch_id}": READ,
    "POST /v1/watches/{watch_id}/beat": INGEST,
    "POST /v1/watches/{watch_id}/end": INGEST,
    "GET /v1/incidents": READ,
    "GET /v1/incidents/{incident_id}": READ,
    "POST /v1/incidents/{incident_id}/attempts": INGEST,
    "POST /v1/incidents/{incident_id}/restart": CONTROL,
    "POST /v1/incidents/{incident_id}/dismiss": CONTROL,
    "GET /v1/policies": READ,
    "PUT /v1/policies/{name}": CONTROL,
    "DELETE /v1/policies/{name}": CONTROL,
}
ENDLESS = "GET /v1/events/stream"
UPSTREAM = re.compile(r"url|uri|upstream|endpoint|webhook|callback|host|address|forward|proxy", re.IGNORECASE)


@pytest_asyncio.fixture(loop_scope="module")
async def document(admin: httpx.AsyncClient) -> JsonObject:
    """The OpenAPI document."""
    return dict((await admin.get("/openapi.json")).json())


@pytest.fixture
def routes(document: JsonObject) -> list[Route]:
    return [*documented_routes(document), *UNDOCUMENTED]


async def status_of(client: httpx.AsyncClient, route: Route) -> int:
    async with client.stream(route.method, route.path, json={} if route.has_body else None) as answer:
        return answer.status_code


async def test_06_every_route_has_a_scope(routes: list[Route]) -> None:
    assert sorted(route.name for route in routes) == sorted(SCOPES)


@pytest.mark.parametrize("scope", list(Scope))
async def test_06_a_scope_opens_its_routes_and_no_other(
    gateway: Gateway, admin: httpx.AsyncClient, routes: list[Route], scope: Scope
) -> None:
    key = await make_key(admin, {scope})
    async with gateway.client(key["secret"]) as client:
        let_in = {route.name for route in routes if await status_of(client, route) != 403}
    assert let_in == {name for name, needed in SCOPES.items() if needed in (None, scope)}


async def test_06_a_refusal_names_the_scope_that_is_missing(gateway: Gateway) -> None:
    async with gateway.client(gateway.key("ingest")) as client:
        for path in ("/v1/sessions", "/v1/version"):
            problem = (await client.get(path)).json()
            assert problem["code"] == "scope_missing"
            assert "shim keys create NAME --scope read" in problem["detail"]


@pytest.mark.parametrize(
    ("name", "scopes"), [("admin", set(Scope)), ("agent", {READ, INGEST, CONTROL}), ("ingest", {INGEST})]
)
async def test_06_built_in_keys_open_what_they_are_for(
    gateway: Gateway, routes: list[Route], name: str, scopes: set[Scope]
) -> None:
    async with gateway.client(gateway.key(name)) as client:
        let_in = {route.name for route in routes if await status_of(client, route) != 403}
    assert let_in == {name for name, needed in SCOPES.items() if needed is None or needed in scopes}


async def test_10_no_route_takes_an_address_to_call(document: JsonObject, routes: list[Route]) -> None:
    operations = [document["paths"][route.template][route.method] for route in routes if route not in UNDOCUMENTED]
    parameters = {parameter["name"] for operation in operations for parameter in operation.get("parameters", [])}
    fields = {name for schema in document["components"]["schemas"].values() for name in schema.get("properties", {})}
    formats = {
        part.get("format")
        for schema in document["components"]["schemas"].values()
        for part in schema.get("properties", {}).values()
    }
    assert [name for name in parameters | fields if UPSTREAM.search(name)] == []
    assert not formats & {"uri", "url", "hostname", "ipv4", "ipv6"}
