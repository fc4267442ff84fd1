"""Checks 4, 5 and 19: nothing is open without a key that holds."""

import httpx
import pytest
import pytest_asyncio

from shim_common.contracts.access import Scope
from shim_common.kernel.clock import ManualClock
from shim_gateway.domain.failures import MOST, WINDOW
from shim_gateway.usecases.keys import REMEMBERED

from .harness import Gateway, make_key, serving_gateway
from .routes import OPEN, UNDOCUMENTED, Route, documented_routes

pytestmark = pytest.mark.asyncio(loop_scope="module")
EVERYTHING = frozenset(Scope)


@pytest_asyncio.fixture(loop_scope="module")
async def routes(admin: httpx.AsyncClient) -> list[Route]:
    """Every route that is not open."""
    document = (await admin.get("/openapi.json")).json()
    found = [*documented_routes(document), *UNDOCUMENTED]
    assert len(found) > 30
    return [route for route in found if route not in OPEN]


@pytest.fixture(autouse=True)
def without_failures(clock: ManualClock) -> None:
    """Let the failures of other tests be forgotten."""
    clock.advance(WINDOW + 1)


async def ask(client: httpx.AsyncClient, route: Route) -> httpx.Response:
    return await client.request(route.method, route.path, json={} if route.has_body else None)


async def refusals(
    client: httpx.AsyncClient, routes: list[Route], clock: ManualClock
) -> dict[str, tuple[int, str, str]]:
    """Return how each route refuses."""
    found = {}
    for route in routes:
        clock.advance(WINDOW / MOST + 1)
        answer = await ask(client, route)
        found[route.name] = (answer.status_code, answer.headers["content-type"], answer.json()["code"])
        assert answer.headers["www-authenticate"] == "Bearer"
    return found


UNAUTHORIZED = (401, "application/problem+json", "unauthorized")


async def test_04_every_route_wants_a_key(
    gateway: Gateway, stranger: httpx.AsyncClient, routes: list[Route], clock: ManualClock
) -> None:
    assert await refusals(stranger, routes, clock) == {route.name: UNAUTHORIZED for route in routes}


async def test_04_no_route_takes_a_wrong_key(gateway: Gateway, routes: list[Route], clock: ManualClock) -> None:
    wrong = gateway.key("admin")[:-1] + ("A" if gateway.key("admin")[-1] != "A" else "B")
    async with gateway.client(wrong) as client:
        assert await refusals(client, routes, clock) == {route.name: UNAUTHORIZED for route in routes}


async def test_04_no_route_takes_a_revoked_key(
    gateway: Gateway, admin: httpx.AsyncClient, routes: list[Route], clock: ManualClock
) -> None:
    key = await make_key(admin, EVERYTHING)
    async with gateway.client(key["secret"]) as client:
        assert (await client.get("/v1/version")).status_code == 200
        assert (await admin.post(f"/v1/keys/{key['id']}/revoke")).status_code == 200
        assert await refusals(client, routes, clock) == {route.name: UNAUTHORIZED for route in routes}


async def test_04_no_route_takes_an_expired_key(
    gateway: Gateway, admin: httpx.AsyncClient, routes: list[Route], clock: ManualClock
) -> None:
    key = await make_key(admin, EVERYTHING, expires_at=(clock.now().isoformat()).replace("+00:00", ".5Z"))
    async with gateway.client(key["secret"]) as client:
        assert (await client.get("/v1/version")).status_code == 200
        clock.advance(1)
        assert await refusals(client, routes, clock) == {route.name: UNAUTHORIZED for route in routes}


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": "Bearer"},
        {"authorization": "Basic YWRtaW46YWRtaW4="},
        {"x-api-key": ""},
        {"authorization": "Bearer", "x-api-key": ""},
        {"x-shim-token": "anything"},
        {"cookie": "key=1"},
    ],
    ids=str,
)
async def test_04_nothing_but_a_key_opens(stranger: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await stranger.get("/v1/version", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")


async def test_04_paths_spelt_otherwise_want_a_key(stranger: httpx.AsyncClient) -> None:
    for path in ("//healthz", "/healthz/", "/HEALTHZ", "/healthz/../v1/keys", "/readyz%2f..%2fmetrics", "/", "/docs"):
        assert (await stranger.get(path)).status_code == 401, path


async def test_04_the_open_routes_say_yes_or_no(stranger: httpx.AsyncClient) -> None:
    for route in OPEN:
        answer = await ask(stranger, route)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_04_both_headers_for_keys_are_taken(gateway: Gateway, stranger: httpx.AsyncClient) -> None:
    secret = gateway.key("agent")
    for headers in (
        {"authorization": f"Bearer {secret}"},
        {"authorization": f"bearer {secret}"},
        {"x-api-key": secret},
    ):
        assert (await stranger.get("/v1/version", headers=headers)).status_code == 200


async def test_05_a_revoked_key_opens_nothing_elsewhere_within_a_second(
    gateway: Gateway, admin: httpx.AsyncClient, clock: ManualClock
) -> None:
    key = await make_key(admin, EVERYTHING)
    async with (
        serving_gateway(gateway.settings, clock, name="other") as other,
        other.client(key["secret"]) as client,
    ):
        assert (await client.get("/v1/version")).status_code == 200
        await admin.post(f"/v1/keys/{key['id']}/revoke")
        clock.advance(REMEMBERED + 0.01)
        assert REMEMBERED < 1
        assert (await client.get("/v1/version")).status_code == 401


async def test_05_a_rotated_key_opens_with_the_new_secret_alone(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    key = await make_key(admin, {Scope.READ})
    async with gateway.client(key["secret"]) as old:
        assert (await old.get("/v1/version")).status_code == 200
        rotated = (await admin.post(f"/v1/keys/{key['id']}/rotate")).json()
        assert (await old.get("/v1/version")).status_code == 401
    assert (rotated["id"], rotated["scopes"]) == (key["id"], ["read"])
    assert rotated["secret"].startswith(rotated["prefix"])
    async with gateway.client(rotated["secret"]) as new:
        assert (await new.get("/v1/version")).status_code == 200


async def test_19_too_many_wrong_keys_have_to_wait(
    gateway: Gateway, stranger: httpx.AsyncClient, clock: ManualClock
) -> None:
    async with gateway.client("wrong") as guesser:
        for _ in range(MOST):
            assert (await guesser.get("/v1/version")).status_code == 401
        for client in (guesser, stranger):
            limited = await client.get("/v1/version")
            assert (limited.status_code, limited.json()["code"]) == (429, "too_many_failures")
            assert 0 < int(limited.headers["retry-after"]) <= WINDOW


async def test_19_a_key_that_holds_is_never_shut_out(
    gateway: Gateway, admin: httpx.AsyncClient, stranger: httpx.AsyncClient, clock: ManualClock
) -> None:
    for _ in range(MOST + 1):
        await stranger.get("/v1/version")
    assert (await stranger.get("/v1/version")).status_code == 429
    assert (await admin.get("/v1/version")).status_code == 200
    fresh = await make_key(admin, {Scope.READ})
    async with gateway.client(fresh["secret"]) as client:
        assert (await client.get("/v1/version")).status_code == 200
    clock.advance(WINDOW + 1)
    assert (await stranger.get("/v1/version")).status_code == 401
