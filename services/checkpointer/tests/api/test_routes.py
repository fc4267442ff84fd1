"""Who may do what, and what a route says about something that is not there."""

import httpx
import jwt
import pytest
from fastapi.routing import APIRoute

from shim_common.contracts.access import Scope
from shim_common.web.tokens import HEADER, LIFETIME, Caller, TokenMaker

from ..building import hook, open_session
from .conftest import Shared

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEX = "0" * 32
SHA = "0" * 64
SCOPES = {
    ("POST", "/v1/sessions"): Scope.INGEST,
    ("GET", "/v1/sessions"): Scope.READ,
    ("GET", "/v1/sessions/{sid}"): Scope.READ,
    ("DELETE", "/v1/sessions/{sid}"): Scope.CONTROL,
    ("POST", "/v1/sessions/{sid}/entries"): Scope.INGEST,
    ("GET", "/v1/sessions/{sid}/entries"): Scope.READ,
    ("GET", "/v1/sessions/{sid}/sources"): Scope.READ,
    ("GET", "/v1/sessions/{sid}/integrity"): Scope.READ,
    ("POST", "/v1/sessions/{sid}/heartbeat"): Scope.INGEST,
    ("POST", "/v1/sessions/{sid}/exit"): Scope.INGEST,
    ("POST", "/v1/sessions/{sid}/end"): Scope.INGEST,
    ("GET", "/v1/sessions/{sid}/signals"): Scope.READ,
    ("GET", "/v1/sessions/{sid}/signals/history"): Scope.READ,
    ("GET", "/v1/sessions/{sid}/risk"): Scope.READ,
    ("POST", "/v1/sessions/{sid}/checkpoints"): Scope.INGEST,
    ("GET", "/v1/sessions/{sid}/checkpoints"): Scope.READ,
    ("GET", "/v1/checkpoints/{checkpoint_id}"): Scope.READ,
    ("POST", "/v1/blobs/missing"): Scope.INGEST,
    ("PUT", "/v1/blobs/{sha256}"): Scope.INGEST,
    ("GET", "/v1/blobs/{sha256}"): Scope.READ,
    ("POST", "/v1/sessions/{sid}/snapshots"): Scope.INGEST,
    ("GET", "/v1/sessions/{sid}/snapshots"): Scope.READ,
    ("GET", "/v1/snapshots/{snapshot_id}"): Scope.READ,
    ("GET", "/v1/recovery"): Scope.READ,
    ("GET", "/v1/search"): Scope.READ,
    ("POST", "/v1/hooks/{client}/{event}"): Scope.INGEST,
    ("GET", "/v1/parameters"): Scope.READ,
    ("GET", "/v1/events"): Scope.READ,
    ("GET", "/metrics"): Scope.READ,
}
OPEN = {("GET", "/healthz"), ("GET", "/readyz")}
BODIES = {
    "/v1/sessions/{sid}/entries": {"entries": []},
    "/v1/sessions/{sid}/heartbeat": {},
    "/v1/sessions/{sid}/exit": {"process": {"pid": 1, "created": 1}, "observed_at": "2026-11-20T12:00:00Z"},
    "/v1/sessions/{sid}/end": {},
    "/v1/sessions/{sid}/checkpoints": {},
    "/v1/sessions/{sid}/snapshots": {"taken_at": "2026-11-20T12:00:00Z", "files": []},
}


def path_of(template: str) -> str:
    values = {
        "sid": "nobody",
        "checkpoint_id": f"ckp_{HEX}",
        "snapshot_id": f"snp_{HEX}",
        "sha256": SHA,
        "client": "claude-code",
        "event": "Stop",
    }
    return template.format(**values)


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    """Whether an answer is a problem that says what is wrong."""
    document = answer.json()
    return (
        answer.status_code == status == document["status"]
        and answer.headers["content-type"] == "application/problem+json"
        and document["code"] == code
        and len(document["detail"]) > 10
        and bool(document["title"])
    )


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
    assert scope.value in without.json()["detail"]
    allowed = await shared.anonymous.request(method, path, headers=shared.headers(scope))
    assert allowed.status_code not in (401, 403)


async def test_health_is_open(shared: Shared) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await shared.anonymous.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
async def test_what_is_no_token(shared: Shared, token: str) -> None:
    assert is_problem(await shared.anonymous.get("/v1/sessions", headers={HEADER: token}), 401, "unauthorized")


async def test_tokens_of_others(shared: Shared) -> None:
    caller = Caller("key_1", frozenset(Scope))
    forged = TokenMaker(b"x" * 32, shared.clock).make(caller)
    claims = jwt.decode(shared.tokens.make(caller), options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none")

    for token in (forged, unsigned):
        assert is_problem(await shared.anonymous.get("/v1/sessions", headers={HEADER: token}), 401, "unauthorized")


async def test_a_token_lasts_a_minute(shared: Shared) -> None:
    headers = shared.headers(Scope.READ)

    shared.clock.advance(LIFETIME)
    assert (await shared.anonymous.get("/v1/sessions", headers=headers)).status_code == 200
    shared.clock.advance(1)
    assert is_problem(await shared.anonymous.get("/v1/sessions", headers=headers), 401, "token_expired")


@pytest.mark.parametrize(("method", "template"), [key for key in SCOPES if "{sid}" in key[1]], ids=" ".join)
async def test_an_unknown_session(shared_api: httpx.AsyncClient, method: str, template: str) -> None:
    answer = await shared_api.request(method, path_of(template), json=BODIES.get(template))

    assert is_problem(answer, 404, "session_not_found")
    assert "'nobody'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/v1/checkpoints/ckp_{HEX}", "checkpoint_not_found"),
        (f"/v1/snapshots/snp_{HEX}", "snapshot_not_found"),
        (f"/v1/blobs/{SHA}", "blob_not_found"),
        ("/v1/recovery?session=nobody", "session_not_found"),
        ("/v1/nothing/here", "not_found"),
    ],
)
async def test_other_things_that_are_not_there(shared_api: httpx.AsyncClient, path: str, code: str) -> None:
    assert is_problem(await shared_api.get(path), 404, code)


async def test_a_method_that_a_path_does_not_take(shared_api: httpx.AsyncClient) -> None:
    assert is_problem(await shared_api.patch("/v1/sessions"), 405, "method_not_allowed")


async def test_an_error_names_the_request(shared_api: httpx.AsyncClient) -> None:
    answer = await shared_api.get("/v1/sessions/nobody", headers={"x-request-id": "r-1"})

    assert (answer.json()["request_id"], answer.json()["instance"]) == ("r-1", "/v1/sessions/nobody")


async def test_every_error_is_documented(shared: Shared, shared_api: httpx.AsyncClient) -> None:
    document = (await shared_api.get("/openapi.json")).json()

    assert "FieldError" in document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            described = operation["responses"]
            assert {"400", "401", "403", "422", "503"} <= described.keys(), path
            assert ("507" in described) is (method != "get"), path
            for status, response in described.items():
                if status >= "400":
                    assert response["content"]["application/problem+json"]["schema"]["$ref"].endswith("/Problem")


async def test_figures(shared: Shared, shared_api: httpx.AsyncClient) -> None:
    sid = await open_session(shared_api, "figures")
    entry = {"key": "m1", "kind": "note", "at": "2026-11-20T12:00:00Z", "body": {}}
    for _ in range(2):
        await shared_api.post(f"/v1/sessions/{sid}/entries", json={"entries": [entry]})
    await shared_api.post("/v1/hooks/claude-code/Stop", json=hook("figures"))

    figures = (await shared_api.get("/metrics")).text

    assert "\nshim_entries_total 1.0" in figures
    assert "\nshim_entries_duplicate_total 1.0" in figures
    assert 'shim_sessions_total{event="started"} 1.0' in figures
    assert 'shim_checkpoints_total{trigger="compaction"} 0.0' in figures
    assert "shim_append_seconds_bucket" in figures
    assert 'handler="/v1/sessions/{sid}/entries"' in figures
    assert sid not in figures
