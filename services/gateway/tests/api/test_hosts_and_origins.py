"""Checks 7 and 8: DNS rebinding and foreign pages get nowhere, key or not."""

import httpx
import pytest

from .harness import Gateway
from .routes import OPEN, UNDOCUMENTED, documented_routes

pytestmark = pytest.mark.asyncio(loop_scope="module")


def request(target: str, *headers: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"GET {target} HTTP/{version}", *headers, "connection: close", "", ""]).encode("latin-1")


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["Host: localhost:7446"], 200),
        (["Host: evil.example"], 421),
        (["Host: localhost:7446/#@evil.example"], 421),
        (["Host: localhost:7446\t, evil.example"], 421),
        (["Host: evil.example", "X-Forwarded-Host: localhost"], 421),
        (["Host: localhost", "Host: evil.example"], 400),
        (["Host: localhost", "Host: localhost"], 400),
        (["Host:"], 421),
        ([], 400),
    ],
    ids=str,
)
async def test_07_one_host_of_ours(gateway: Gateway, headers: list[str], expected: int) -> None:
    key = f"Authorization: Bearer {gateway.key('admin')}"
    assert status(await gateway.answer_to(request("/v1/version", key, *headers))) == expected
    assert status(await gateway.answer_to(request("/healthz", *headers))) == expected


async def test_07_http_1_0_needs_a_host_too(gateway: Gateway) -> None:
    assert status(await gateway.answer_to(request("/healthz", version="1.0"))) == 400


@pytest.mark.parametrize(
    "target",
    [
        "http://localhost:7446/healthz",
        "http://evil.example/healthz",
        "localhost:7446",
        "*",
        "?healthz",
        "@evil/healthz",
    ],
)
async def test_07_a_target_is_a_path(gateway: Gateway, target: str) -> None:
    assert status(await gateway.answer_to(request(target, "Host: localhost"))) == 400


async def test_07_a_refused_target_with_a_body_is_answered_once(gateway: Gateway) -> None:
    raw = b"POST http://evil.example/v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
    answer = await gateway.answer_to(raw)
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1") == 1


async def test_07_a_second_request_on_a_connection_is_checked_like_the_first(gateway: Gateway) -> None:
    for target, expected in (("http://evil.example/", b"400 "), ("/healthz", b"421 ")):
        reader, writer = await gateway.connect()
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200 ")
        writer.write(request(target, "Host: evil.example"))
        assert (await reader.read()).startswith(b"HTTP/1.1 " + expected)
        writer.close()


@pytest.mark.parametrize(
    "path", ["/v1/sessions/%ff%fe", "/v1/sessions/\xff", "/v1/%00", "/%2e%2e/%2e%2e", "//x", "/v1/["]
)
async def test_07_odd_paths_are_refused(gateway: Gateway, path: str) -> None:
    key = f"Authorization: Bearer {gateway.key('admin')}"
    assert 400 <= status(await gateway.answer_to(request(path, key, "Host: localhost"))) < 500


async def test_07_the_key_decides_alike_under_every_host(gateway: Gateway) -> None:
    for host in ("localhost", "127.0.0.1:7446", "[::1]:1"):
        assert status(await gateway.answer_to(request("/v1/version", f"Host: {host}"))) == 401


@pytest.mark.parametrize(
    "origin", ["null", "https://evil.example", "http://localhost:3000", "http://evil.example:7446", ""]
)
async def test_08_no_route_answers_a_foreign_page(gateway: Gateway, admin: httpx.AsyncClient, origin: str) -> None:
    document = (await admin.get("/openapi.json")).json()
    for route in (*documented_routes(document), *UNDOCUMENTED, *OPEN):
        for method in (route.method, "OPTIONS"):
            async with admin.stream(method, route.path, headers={"origin": origin}) as answer:
                assert answer.status_code == 403, route.name
                assert not any(name.startswith("access-control-") for name in answer.headers)


async def test_08_a_foreign_page_cannot_use_a_rebound_name(admin: httpx.AsyncClient) -> None:
    """The name resolves to us, so Host and Origin agree; neither is on the list."""
    rebound = {"host": "rebound.example:7446", "origin": "http://rebound.example:7446"}
    assert (await admin.get("/v1/version", headers=rebound)).status_code == 421


async def test_08_our_own_page_is_let_in_and_told_nothing_about_sharing(admin: httpx.AsyncClient) -> None:
    answer = await admin.get("/v1/version", headers={"origin": "http://localhost:7446"})
    assert answer.status_code == 200
    assert not any(name.startswith("access-control-") for name in answer.headers)


async def test_08_one_foreign_origin_among_ours_is_refused(gateway: Gateway) -> None:
    key = f"Authorization: Bearer {gateway.key('admin')}"
    origins = ("Origin: http://localhost:7446", "Origin: http://evil.example")
    assert status(await gateway.answer_to(request("/v1/version", "Host: localhost", key, *origins))) == 403


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain;application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        None,
    ],
)
async def test_08_a_form_on_a_foreign_page_is_no_request(admin: httpx.AsyncClient, content_type: str | None) -> None:
    """Browsers send these without asking first."""
    headers = {} if content_type is None else {"content-type": content_type}
    for path in ("/v1/sessions", "/v1/keys", "/mcp/", "/v1/hooks/claude-code/Stop"):
        answer = await admin.post(path, content=b"{}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (415, "not_json"), path


async def test_08_file_contents_are_bytes_or_json(admin: httpx.AsyncClient) -> None:
    path = "/v1/blobs/" + "0" * 64
    for content_type, expected in (("application/octet-stream", 422), ("application/json", 422), ("text/plain", 415)):
        answer = await admin.put(path, content=b"x", headers={"content-type": content_type})
        assert answer.status_code == expected


async def test_08_no_answer_may_be_sniffed_or_kept(admin: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    for client in (admin, stranger):
        for path in ("/v1/version", "/v1/sessions", "/healthz", "/nothing"):
            headers = (await client.get(path)).headers
            assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
