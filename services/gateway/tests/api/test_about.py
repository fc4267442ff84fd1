"""What the stack says about itself."""

import httpx
import pytest
import pytest_asyncio
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR

from shim_common.contracts.base import JsonObject

from .conftest import BODY_LIMIT
from .harness import Gateway
from .routes import OPEN, documented_routes

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT_THE_DOOR = {"400", "403", "413", "415", "421", "431"}
BEFORE_KEYS = {"401", "429", "503"}


@pytest_asyncio.fixture(loop_scope="module")
async def document(admin: httpx.AsyncClient) -> JsonObject:
    answer = await admin.get("/openapi.json")
    assert answer.status_code == 200
    return dict(answer.json())


async def test_health_and_readiness_are_open_and_terse(stranger: httpx.AsyncClient) -> None:
    for path in ("/healthz", "/readyz"):
        answer = await stranger.get(path)
        assert (answer.status_code, answer.content) == (200, b'{"status":"ok"}')
        assert "server" not in answer.headers


async def test_the_version_says_what_is_spoken(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/v1/version")).json() == {
        "version": "0.1.0",
        "api": "v1",
        "data": 1,
        "oldest_client": "0.1.0",
    }


async def test_the_document_is_openapi_3_1(document: JsonObject) -> None:
    assert document["openapi"].startswith("3.1.")
    assert [error.message for error in OPENAPI_31_VALIDATOR.iter_errors(document)] == []


async def test_every_reference_in_the_document_leads_somewhere(document: JsonObject) -> None:
    schemas = document["components"]["schemas"]
    found = set(references(document))
    assert found
    assert [name for name in found if name.removeprefix("#/components/schemas/") not in schemas] == []


async def test_operations_have_names_of_their_own(document: JsonObject) -> None:
    operations = [document["paths"][route.template][route.method] for route in documented_routes(document)]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    assert {"list_keys", "open_session", "append_entries", "get_recovery", "stream_events"} <= set(names)
    assert all(operation["summary"] and operation["tags"] for operation in operations)


async def test_every_error_of_every_operation_is_documented(document: JsonObject) -> None:
    for route in documented_routes(document):
        responses = document["paths"][route.template][route.method]["responses"]
        assert set(responses) >= (AT_THE_DOOR if route in OPEN else AT_THE_DOOR | BEFORE_KEYS), route.name
        for status, response in responses.items():
            if status >= "400" and (route.template, status) != ("/readyz", "503"):
                assert response["content"] == {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                }, (route.name, status)


async def test_only_the_open_routes_need_no_key(document: JsonObject) -> None:
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    without = [
        route
        for route in documented_routes(document)
        if document["paths"][route.template][route.method].get("security") == []
    ]
    assert sorted(route.name for route in without) == sorted(route.name for route in OPEN)


async def test_what_is_not_there_is_a_problem(admin: httpx.AsyncClient) -> None:
    for path in ("/nothing", "/v1/nothing", "/v1/keys/", "/v1/sessions/", "/mcp", "/docs", "/redoc", "/metrics/mcp"):
        answer = await admin.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_method_that_is_not_taken_is_a_problem(admin: httpx.AsyncClient) -> None:
    allowing = {"/v1/version": "GET", "/healthz": "GET", "/metrics": "GET", "/v1/keys": "GET, POST"}
    for path, allowed in {**allowing, "/v1/sessions/x": "DELETE, GET", "/v1/parameters": "GET"}.items():
        answer = await admin.patch(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert answer.headers["allow"] == allowed


async def test_figures_of_the_gateway_and_of_its_services(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    await admin.get("/v1/sessions")
    ours, theirs = [(await admin.get(path)).text for path in ("/metrics", "/metrics/checkpointer")]
    assert 'shim_requests_passed_on_total{service="checkpointer",status="2xx"}' in ours
    assert 'shim_requests_refused_total{why="encoding"} 0.0' in ours
    assert 'http_requests_total{handler="/v1/sessions",method="GET",status="200"}' in theirs


@pytest.mark.parametrize(
    ("why", "headers", "size"),
    [
        ("host", {"host": "evil.example"}, 0),
        ("origin", {"origin": "null"}, 0),
        ("headers", {"x-filler": "x" * 40_000}, 0),
        ("body", {}, BODY_LIMIT + 1),
        ("encoding", {"content-encoding": "gzip"}, 1),
        ("media_type", {"content-type": "text/plain"}, 1),
        ("key", {"authorization": "Bearer wrong"}, 0),
    ],
)
async def test_refusals_are_counted_by_their_reason(
    admin: httpx.AsyncClient, why: str, headers: dict[str, str], size: int
) -> None:
    before = await refusals(admin)
    assert (await admin.post("/v1/keys", content=b"x" * size, headers=headers)).status_code >= 400
    after = await refusals(admin)
    assert {reason: after[reason] - before[reason] for reason in after} == {
        reason: float(reason == why) for reason in after
    }


async def refusals(admin: httpx.AsyncClient) -> dict[str, float]:
    figures = (await admin.get("/metrics")).text
    lines = [line for line in figures.splitlines() if line.startswith("shim_requests_refused_total{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}


def references(part: object) -> list[str]:
    """Return every reference in a part of the document."""
    if isinstance(part, dict):
        inner = [found for value in part.values() for found in references(value)]
        return [*inner, str(part["$ref"])] if "$ref" in part else inner
    return [found for item in part for found in references(item)] if isinstance(part, list) else []
