"""Who may do what, what is not there, what is documented."""

from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from shim_common.contracts.access import Scope

from ..building import at, attempt, is_problem, new_watch, process, report
from .conftest import Shared

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEX = "0" * 32
SCOPES = {
    ("PUT", "/v1/watches"): Scope.INGEST,
    ("GET", "/v1/watches"): Scope.READ,
    ("GET", "/v1/watches/{watch_id}"): Scope.READ,
    ("POST", "/v1/watches/{watch_id}/beat"): Scope.INGEST,
    ("POST", "/v1/watches/{watch_id}/end"): Scope.INGEST,
    ("GET", "/v1/incidents"): Scope.READ,
    ("GET", "/v1/incidents/{incident_id}"): Scope.READ,
    ("POST", "/v1/incidents/{incident_id}/attempts"): Scope.INGEST,
    ("POST", "/v1/incidents/{incident_id}/restart"): Scope.CONTROL,
    ("POST", "/v1/incidents/{incident_id}/dismiss"): Scope.CONTROL,
    ("GET", "/v1/policies"): Scope.READ,
    ("PUT", "/v1/policies/{name}"): Scope.CONTROL,
    ("DELETE", "/v1/policies/{name}"): Scope.CONTROL,
    ("GET", "/metrics"): Scope.READ,
}
OPEN = {("GET", "/healthz"), ("GET", "/readyz")}
BODIES: dict[str, Any] = {
    "/v1/watches": new_watch(),
    "/v1/watches/{watch_id}/beat": {"process": process(), "seen_at": at()},
    "/v1/watches/{watch_id}/end": report(),
    "/v1/incidents/{incident_id}/attempts": attempt(),
    "/v1/incidents/{incident_id}/restart": {},
    "/v1/policies/{name}": {},
}


def path_of(template: str) -> str:
    return template.format(watch_id=f"wch_{HEX}", incident_id=f"inc_{HEX}", name="nobody")


def routes_of(shared: Shared) -> set[tuple[str, str]]:
    routers = [getattr(route, "original_router", None) for route in shared.app.routes]
    found = [route for router in routers if router for route in router.routes if isinstance(route, APIRoute)]
    return {(method, route.path) for route in found for method in route.methods}


async def test_every_route_has_its_scope_here(shared: Shared) -> None:
    assert routes_of(shared) == SCOPES.keys() | OPEN


@pytest.mark.parametrize(("method", "template"), SCOPES, ids=" ".join)
async def test_who_may(shared: Shared, method: str, template: str) -> None:
    scope, path = SCOPES[method, template], path_of(template)
    others = [other for other in Scope if other is not scope]

    assert is_problem(await shared.anonymous.request(method, path), 401, "unauthorized")
    without = await shared.anonymous.request(method, path, headers=shared.headers(*others))
    assert is_problem(without, 403, "scope_missing")
    allowed = await shared.anonymous.request(method, path, headers=shared.headers(scope))
    assert allowed.status_code not in (401, 403)


async def test_health_is_open(shared: Shared) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await shared.anonymous.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize(("method", "template"), [key for key in SCOPES if "_id}" in key[1]], ids=" ".join)
async def test_what_is_not_there(shared_api: httpx.AsyncClient, method: str, template: str) -> None:
    answer = await shared_api.request(method, path_of(template), json=BODIES.get(template))

    assert is_problem(answer, 404, "watch_not_found" if "watch" in template else "incident_not_found")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("GET", "/v1/nothing", "not_found"), ("PATCH", "/v1/watches", "method_not_allowed")],
)
async def test_paths_and_methods_that_are_none(
    shared_api: httpx.AsyncClient, method: str, path: str, code: str
) -> None:
    assert is_problem(await shared_api.request(method, path), 404 if code == "not_found" else 405, code)


async def test_every_error_is_documented(shared_api: httpx.AsyncClient) -> None:
    document = (await shared_api.get("/openapi.json")).json()

    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            described = operation["responses"]
            assert {"400", "401", "403", "404", "409", "422", "503"} <= described.keys(), path
            assert ("507" in described) is (method != "get"), path
            for status, response in described.items():
                if status >= "400":
                    assert response["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")
