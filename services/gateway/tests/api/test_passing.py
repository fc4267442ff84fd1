"""Passing on: what reaches a service and comes back, hang-ups in every phase, services that are away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import jwt
import pytest
import pytest_asyncio

from shim_common.contracts.base import JsonObject
from shim_common.kernel.clock import ManualClock
from shim_common.web.tokens import HEADER, LIFETIME
from shim_gateway.settings import Settings

from .echo import Echo
from .harness import PATIENCE, Gateway, serving, serving_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
BOTH = pytest.mark.parametrize("prefix", ["/v1/things", "/mcp"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(settings: Settings, clock: ManualClock, shared_echo: Echo) -> AsyncIterator[Gateway]:
    """A gateway with an echo in the place of every service."""
    async with (
        serving(shared_echo, settings.checkpointer_url),
        serving(shared_echo, settings.mcp_url),
        serving_gateway(settings, clock) as gateway,
    ):
        yield gateway


async def told(client: httpx.AsyncClient, path: str, **headers: str) -> JsonObject:
    """Return what reached the service."""
    answer = await client.get(path, headers=headers)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def names(reached: JsonObject) -> list[str]:
    return [name for name, _ in reached["headers"]]


def only(reached: JsonObject, name: str) -> str:
    (value,) = (value for given, value in reached["headers"] if given == name)
    return str(value)


async def happens(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        await event.wait()


# What goes through


@BOTH
async def test_method_target_and_body_go_through_as_they_are(admin: httpx.AsyncClient, prefix: str, echo: Echo) -> None:
    target = f"{prefix}/a%2Fb/%C3%A9?x=1&x=2&y=%26+z"
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        content = b'{"a": [1,\n 2]}' if method in ("POST", "PUT", "PATCH") else b""
        headers = {"content-type": "application/json"} if content else {}
        reached = (await admin.request(method, target, content=content, headers=headers)).json()
        assert (reached["method"], reached["target"], reached["body"]) == (method, target, content.decode())


@BOTH
async def test_headers_of_the_hop_stay_behind_both_ways(admin: httpx.AsyncClient, prefix: str) -> None:
    hop = {
        "connection": "x-mine, keep-alive",
        "x-mine": "1",
        "keep-alive": "timeout=5",
        "te": "trailers",
        "proxy-authorization": "Basic x",
        "proxy-connection": "keep-alive",
    }
    answer = await admin.get(f"{prefix}/echo", headers={**hop, "x-kept": "1"})
    reached = answer.json()
    assert only(reached, "x-kept") == "1"
    assert not set(hop) & set(names(reached))
    assert answer.headers["x-kept"] == "end to end"
    assert not {"x-internal", "keep-alive"} & set(answer.headers)
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]


@BOTH
async def test_a_service_sees_nothing_that_the_caller_did_not_send(gateway: Gateway, prefix: str) -> None:
    key = gateway.key("admin").encode()
    raw = (
        b"GET %s/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nX-Own: 1\r\nConnection: close\r\n\r\n"
    )
    answer = await gateway.answer_to(raw % (prefix.encode(), key))
    reached = httpx.Response(200, content=answer[answer.index(b'{"') : answer.rindex(b"}") + 1]).json()
    kept_key = ["authorization"] if prefix == "/mcp" else []
    assert sorted(names(reached)) == sorted(["host", "x-own", "x-request-id", HEADER, *kept_key])
    assert only(reached, "host") == ("localhost" if prefix == "/mcp" else "service")


async def test_14_a_service_gets_a_token_and_never_the_key(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    reached = await told(admin, "/v1/things/echo", **{"x-api-key": gateway.key("agent")})
    assert gateway.key("admin") not in str(reached)
    assert gateway.key("agent") not in str(reached)
    secret = (gateway.settings.keys_dir / "internal.secret").read_bytes()
    claims = jwt.decode(only(reached, HEADER), secret, algorithms=["HS256"], options={"verify_exp": False})
    assert claims["scopes"] == ["admin", "control", "ingest", "proxy", "read"]


async def test_14_mcp_gets_the_key_because_it_calls_with_it(gateway: Gateway, admin: httpx.AsyncClient) -> None:
    assert only(await told(admin, "/mcp/echo"), "authorization") == f"Bearer {gateway.key('admin')}"


@BOTH
async def test_14_a_token_from_outside_is_not_passed_on(admin: httpx.AsyncClient, prefix: str) -> None:
    forged = "forged"
    reached = await told(admin, f"{prefix}/echo", **{HEADER: forged, HEADER.upper(): forged})
    assert only(reached, HEADER) != forged
    assert forged not in str(reached)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
async def test_a_token_holds_whatever_the_clock_does(
    gateway: Gateway, admin: httpx.AsyncClient, clock: ManualClock, jump: float
) -> None:
    secret = (gateway.settings.keys_dir / "internal.secret").read_bytes()
    await told(admin, "/v1/things/echo")
    clock.jump(jump)
    token = only(await told(admin, "/v1/things/echo"), HEADER)
    expires = jwt.decode(token, secret, algorithms=["HS256"], options={"verify_exp": False})["exp"]
    assert 0 < expires - clock.now().timestamp() <= LIFETIME


async def test_a_token_is_made_anew_before_it_runs_out(
    gateway: Gateway, admin: httpx.AsyncClient, clock: ManualClock
) -> None:
    first = only(await told(admin, "/v1/things/echo"), HEADER)
    clock.advance(LIFETIME / 2 - 1)
    assert only(await told(admin, "/v1/things/echo"), HEADER) == first
    clock.advance(2)
    assert only(await told(admin, "/v1/things/echo"), HEADER) != first


@pytest.mark.parametrize("given", ["4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f", "abc123", "a.b_c-d"])
async def test_a_request_id_is_kept_and_told_to_all(admin: httpx.AsyncClient, given: str) -> None:
    answer = await admin.get("/v1/things/echo", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == given
    assert only(answer.json(), "x-request-id") == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "<script>", "a;b", "\xe9\xb2", '"'])
async def test_a_harmful_request_id_is_replaced(admin: httpx.AsyncClient, given: str) -> None:
    answer = await admin.get("/v1/things/echo", headers={"x-request-id": given.encode("latin-1")})
    made = answer.headers["x-request-id"]
    assert made != given
    assert len(made) == 16
    assert only(answer.json(), "x-request-id") == made


async def test_a_problem_names_the_request(stranger: httpx.AsyncClient) -> None:
    answer = await stranger.get("/v1/things/echo", headers={"x-request-id": "mine"})
    assert (answer.json()["request_id"], answer.json()["instance"]) == ("mine", "/v1/things/echo")
    assert answer.headers["x-request-id"] == "mine"


# Streams


@BOTH
async def test_an_answer_streams_down_as_it_is_made(admin: httpx.AsyncClient, prefix: str, echo: Echo) -> None:
    async with admin.stream("GET", f"{prefix}/stream") as answer:
        pieces = answer.aiter_raw()
        async with asyncio.timeout(PATIENCE):
            assert await anext(pieces) == b"data: first\n\n"
        assert not echo.proceed.is_set()
        echo.proceed.set()
        assert await anext(pieces) == b"data: last\n\n"


@BOTH
async def test_a_body_streams_up_as_it_is_sent(admin: httpx.AsyncClient, prefix: str, echo: Echo) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"[1"
        async with asyncio.timeout(PATIENCE):
            while b"".join(echo.received) != b"[1":
                await asyncio.sleep(0.005)
        yield b",2]"

    answer = await admin.post(f"{prefix}/echo", content=pieces(), headers={"content-type": "application/json"})
    assert answer.json()["body"] == "[1,2]"


async def test_a_caller_that_waits_to_be_asked_for_its_body_is_asked(gateway: Gateway) -> None:
    reader, writer = await gateway.connect()
    head = (
        f"POST /v1/things/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.key('admin')}\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )
    writer.write(head.encode())
    async with asyncio.timeout(PATIENCE):
        assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
        writer.write(b"{}")
        assert b"200 OK" in await reader.read()
    writer.close()


# Hang-ups


async def hang_up(gateway: Gateway, method: str, path: str, until: asyncio.Event, body: bytes = b"") -> None:
    """Send a request, and hang up as soon as the event has come."""
    _, writer = await gateway.connect()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.key('admin')}\r\n"
        + (f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else "")
        + "\r\n"
    )
    writer.write(head.encode() + body)
    await happens(until)
    writer.transport.abort()


@BOTH
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_hang_up_before_the_first_byte_ends_the_request(
    gateway: Gateway, prefix: str, method: str, echo: Echo
) -> None:
    await hang_up(gateway, method, f"{prefix}/silent", echo.started)
    await happens(echo.left)


@BOTH
async def test_a_hang_up_while_the_service_works_on_a_body_ends_the_request(
    gateway: Gateway, prefix: str, echo: Echo
) -> None:
    await hang_up(gateway, "POST", f"{prefix}/slow_unary", echo.started, b'{"x": 1}')
    await happens(echo.left)


@BOTH
async def test_a_hang_up_in_the_middle_of_a_stream_ends_the_request(
    gateway: Gateway, admin: httpx.AsyncClient, prefix: str, echo: Echo
) -> None:
    async with admin.stream("GET", f"{prefix}/stream") as answer:
        assert await anext(answer.aiter_raw()) == b"data: first\n\n"
    await happens(echo.left)


@BOTH
async def test_a_hang_up_in_the_middle_of_a_body_ends_the_request(gateway: Gateway, prefix: str, echo: Echo) -> None:
    _, writer = await gateway.connect()
    head = (
        f"POST {prefix}/echo HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.key('admin')}\r\n"
        "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    )
    writer.write(head.encode())
    await happens(echo.started)
    writer.transport.abort()
    await happens(echo.left)


async def test_hang_ups_leave_nothing_behind(gateway: Gateway, admin: httpx.AsyncClient, echo: Echo) -> None:
    tasks = len(asyncio.all_tasks())
    for _ in range(20):
        echo.forget()
        await hang_up(gateway, "GET", "/v1/things/silent", echo.started)
        await happens(echo.left)
    assert (await admin.get("/v1/things/echo")).status_code == 200
    async with asyncio.timeout(PATIENCE):
        while len(asyncio.all_tasks()) > tasks:
            await asyncio.sleep(0.01)


# Services that are away


@pytest_asyncio.fixture(loop_scope="module")
async def lonely(own_settings: Settings, clock: ManualClock) -> AsyncIterator[Gateway]:
    """A gateway with nothing behind it."""
    async with serving_gateway(own_settings, clock) as gateway:
        yield gateway


@BOTH
async def test_a_service_that_is_away_is_said_to_be_and_comes_back(lonely: Gateway, prefix: str) -> None:
    address = lonely.settings.mcp_url if prefix == "/mcp" else lonely.settings.checkpointer_url
    async with lonely.client(lonely.key("admin")) as admin:
        for _ in range(2):
            async with serving(Echo(), address):
                assert (await admin.get(f"{prefix}/echo")).status_code == 200
            for method, content in (("GET", None), ("POST", b"{}")):
                headers = {"content-type": "application/json"} if content else {}
                away = await admin.request(method, f"{prefix}/echo", content=content, headers=headers)
                assert (away.status_code, away.json()["code"]) == (503, "unavailable")
                assert away.headers["content-type"] == "application/problem+json"
                assert int(away.headers["retry-after"]) >= 1
                assert "shim status" in away.json()["detail"]


async def test_a_service_that_is_away_is_no_refusal(lonely: Gateway) -> None:
    async with lonely.client(lonely.key("admin")) as admin:
        assert (await admin.get("/v1/things")).status_code == 503
        figures = (await admin.get("/metrics")).text
    assert "shim_requests_refused_total{" in figures
    assert [line for line in figures.splitlines() if "refused_total{" in line and not line.endswith(" 0.0")] == []


async def test_readiness_follows_the_services_and_health_does_not(lonely: Gateway) -> None:
    async with lonely.client() as stranger:
        for _ in range(2):
            away = await stranger.get("/readyz")
            assert (away.status_code, away.json()) == (503, {"status": "unavailable"})
            behind = (lonely.settings.mcp_url, lonely.settings.checkpointer_url, lonely.settings.supervisor_url)
            async with AsyncExitStack() as stack:
                for address in behind:
                    await stack.enter_async_context(serving(Echo(), address))
                ready = await stranger.get("/readyz")
                assert (ready.status_code, ready.json()) == (200, {"status": "ok"})
        assert (await stranger.get("/healthz")).status_code == 200


async def test_what_a_service_had_to_tell_is_not_made_up(lonely: Gateway) -> None:
    async with lonely.client(lonely.key("admin")) as admin:
        for path in ("/openapi.json", "/metrics/checkpointer", "/metrics/supervisor"):
            away = await admin.get(path)
            assert (away.status_code, away.json()["code"]) == (503, "unavailable")
        assert (await admin.get("/metrics/nobody")).status_code == 404


async def test_an_answer_that_breaks_off_breaks_off_for_the_caller(lonely: Gateway) -> None:
    """It must not look whole."""

    async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        writer.close()

    path = lonely.settings.checkpointer_url.removeprefix("unix://")
    async with await asyncio.start_unix_server(break_off, path), lonely.client(lonely.key("admin")) as admin:
        with pytest.raises(httpx.RemoteProtocolError):
            await admin.get("/v1/things")
        assert (await admin.get("/healthz")).status_code == 200
