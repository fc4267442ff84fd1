"""Checks 9 and 12: bodies and headers that are too large, too deep, or hold what cannot be stored."""

import json
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from shim_common.web.bodies import MOST_NESTING
from shim_gateway.api.door import HEADER_LIMIT

from .echo import Echo
from .harness import Gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
AT = "2026-11-20T12:00:00Z"


@pytest_asyncio.fixture(loop_scope="module")
async def session(admin: httpx.AsyncClient) -> str:
    """A session to write to."""
    command = {"client": "test", "client_session_id": "bodies", "project": "/home/ana/webshop"}
    return str((await admin.post("/v1/sessions", json=command)).json()["id"])


def entry(body: str) -> bytes:
    """An append with this JSON as the body of its entry."""
    return b'{"entries":[{"key":"k","kind":"note","at":"%s","body":%s}]}' % (AT.encode(), body.encode())


async def post(client: httpx.AsyncClient, path: str, body: bytes, **headers: str) -> httpx.Response:
    return await client.post(path, content=body, headers={"content-type": "application/json", **headers})


async def pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 65536):
        yield b" " * 65536


PATHS = ("/v1/sessions", "/v1/keys", "/v1/hooks/claude-code/Stop", "/mcp/echo")


@pytest.mark.parametrize("path", PATHS)
async def test_09_a_body_over_the_limit_is_refused_by_its_length(gateway: Gateway, path: str, echo: Echo) -> None:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {gateway.key('admin')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {gateway.settings.body_limit + 1}\r\n"
        "Connection: close\r\n\r\n"
    )
    answer = await gateway.answer_to(head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "too_large"
    assert not echo.started.is_set()


@pytest.mark.parametrize("path", PATHS)
async def test_09_a_chunked_body_is_refused_when_it_gets_over_the_limit(
    gateway: Gateway, admin: httpx.AsyncClient, path: str
) -> None:
    headers = {"content-type": "application/json"}
    answer = await admin.post(path, content=pieces(gateway.settings.body_limit + 2 * 65536), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


async def test_09_a_body_at_the_limit_is_taken(gateway: Gateway, admin: httpx.AsyncClient, echo: Echo) -> None:
    for content in (b" " * gateway.settings.body_limit, pieces(gateway.settings.body_limit)):
        echo.forget()
        headers = {"content-type": "application/json"}
        answer = await admin.post("/mcp/count", content=content, headers=headers)
        assert answer.status_code == 200
        assert sum(map(len, echo.received)) == gateway.settings.body_limit


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"])
@pytest.mark.parametrize("path", PATHS)
async def test_09_compressed_bodies_are_refused(admin: httpx.AsyncClient, path: str, coding: str) -> None:
    answer = await post(admin, path, b"{}", **{"content-encoding": coding})
    assert (answer.status_code, answer.json()["code"]) == (415, "encoded_body")


async def test_09_headers_over_the_limit_are_refused(admin: httpx.AsyncClient) -> None:
    assert (await admin.get("/v1/version", headers={"x-filler": "x" * (HEADER_LIMIT - 1000)})).status_code == 200
    for headers in ({"x-filler": "x" * HEADER_LIMIT}, {f"x-{number:06}": "x" * 32 for number in range(1000)}):
        answer = await admin.get("/v1/version", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (431, "headers_too_large")


def nested(opening: str, closing: str, levels: int) -> str:
    """JSON with so many levels inside its own."""
    return '{"x":' + opening * levels + "1" + closing * levels + "}"


JSON_BOMBS = {
    "not JSON": "{",
    "empty": "",
    "NaN": '{"x":NaN}',
    "infinity": '{"x":Infinity}',
    "a number beyond all": '{"x":1e999}',
    "a number of 100,000 digits": '{"x":' + "9" * 100_000 + "}",
    "lone high surrogate": r'{"x":"\ud800"}',
    "lone low surrogate": r'{"x":"\udc00"}',
    "lone surrogate in a name": r'{"\ud800":1}',
    "NUL": r'{"x":"\u0000"}',
    "NUL in a name": r'{"a\u0000b":1}',
    "raw NUL": '{"x":"\0"}',
    "lists nested too deeply": nested("[", "]", MOST_NESTING),
    "objects nested too deeply": nested('{"x":', "}", MOST_NESTING),
    "nesting beyond the stack": nested("[", "]", 1000),
    "nesting without end": nested("[", "]", 100_000),
}


@pytest.mark.parametrize("bomb", JSON_BOMBS.values(), ids=JSON_BOMBS)
async def test_09_bad_json_is_refused_everywhere(admin: httpx.AsyncClient, session: str, bomb: str) -> None:
    bodies = {
        "/v1/keys": bomb.encode(),
        "/v1/sessions": bomb.encode(),
        "/v1/hooks/claude-code/Stop": bomb.encode(),
        f"/v1/sessions/{session}/entries": entry(bomb),
    }
    for path, body in bodies.items():
        answer = await post(admin, path, body)
        assert answer.status_code in (400, 422), (path, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


async def test_09_deep_json_is_stored_as_long_as_it_is_not_too_deep(admin: httpx.AsyncClient, session: str) -> None:
    deep = nested("[", "]", MOST_NESTING - 4)
    body = b'{"entries":[{"key":"deep","kind":"note","at":"%s","body":%s}]}' % (AT.encode(), deep.encode())
    appended = await post(admin, f"/v1/sessions/{session}/entries", body)
    assert appended.status_code == 200, appended.text
    after = appended.json()["position"] - 1
    stored = await admin.get(f"/v1/sessions/{session}/entries", params={"after": after})
    assert stored.json()["items"][0]["body"] == json.loads(deep)
    hook = b'{"session_id":"deep","hook_event_name":"Stop","cwd":"/home/ana/webshop","x":%s}' % deep.encode()
    assert (await post(admin, "/v1/hooks/claude-code/Stop", hook)).status_code < 300


async def test_09_bytes_that_are_not_utf_8_are_refused(admin: httpx.AsyncClient, session: str) -> None:
    for body in (b'{"x":"\xff"}', b'{"x":"\xed\xa0\x80"}', '{"x":"é"}'.encode("utf-16")):
        for path in ("/v1/sessions", f"/v1/sessions/{session}/entries", "/v1/keys", "/v1/hooks/claude-code/Stop"):
            answer = await post(admin, path, body)
            assert (answer.status_code, answer.json()["code"]) == (400, "not_json"), path


async def test_09_a_nul_is_called_by_its_name(admin: httpx.AsyncClient) -> None:
    for path in ("/v1/keys", "/v1/sessions"):
        answer = await post(admin, path, rb'{"name":"\u0000"}')
        assert (answer.status_code, answer.json()["code"]) == (422, "nul")


@pytest.mark.parametrize("number", [2**31, 2**63, 2**64, 10**30, -1, 1.5, 1e300])
async def test_09_numbers_that_fit_nowhere_are_refused(admin: httpx.AsyncClient, session: str, number: float) -> None:
    process = {"pid": number, "created": 1.0}
    commands: list[tuple[str, dict[str, object]]] = [
        ("heartbeat", {"process": process}),
        ("heartbeat", {"tool_processes": [{**process, "command": "x"}]}),
        ("heartbeat", {"transcript_bytes": number}),
        ("exit", {"process": process, "observed_at": AT}),
        ("entries", {"entries": [], "source": {"file": "f", "start": number, "end": number}}),
        ("snapshots", {"taken_at": AT, "files": [{"path": "f", "sha256": "0" * 64, "size": number, "mode": 0}]}),
    ]
    for what, command in commands:
        answer = await admin.post(f"/v1/sessions/{session}/{what}", json=command)
        assert answer.status_code < 500, (what, command, answer.text)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-11-20T12:00:00"])
async def test_09_moments_outside_time_are_refused(admin: httpx.AsyncClient, session: str, moment: str) -> None:
    commands: list[tuple[str, dict[str, object]]] = [
        ("keys", {"name": "x", "scopes": ["read"], "expires_at": moment}),
        (f"sessions/{session}/exit", {"process": {"pid": 1, "created": 1.0}, "observed_at": moment}),
        (f"sessions/{session}/entries", {"entries": [{"key": "t", "kind": "note", "at": moment, "body": {}}]}),
        (f"sessions/{session}/snapshots", {"taken_at": moment, "files": []}),
    ]
    for path, command in commands:
        answer = await admin.post(f"/v1/{path}", json=command)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), path


ODD_PLACES = (
    "2147483648",
    "9223372036854775808",
    "99999999999999999999",
    "-1",
    "1.5",
    "true",
    "null",
    "[]",
    r'"\u0000"',
)


@pytest.mark.parametrize("place", ODD_PLACES)
async def test_09_cursors_that_were_never_given_out_are_refused(
    admin: httpx.AsyncClient, session: str, place: str
) -> None:
    cursor = urlsafe_b64encode(place.encode()).decode().rstrip("=")
    ours = [f"sessions/{session}/{what}" for what in ("entries", "checkpoints", "signals/history")]
    for listing in ("keys", "audit", "sessions", *ours):
        answer = await admin.get(f"/v1/{listing}", params={"cursor": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor"), listing


async def test_09_a_cursor_that_is_no_cursor_is_refused(admin: httpx.AsyncClient) -> None:
    for cursor in ("x", "%%%", "é", "a" * 500, "a" * 501):
        assert (await admin.get("/v1/keys", params={"cursor": cursor})).status_code in (400, 422)


OUTSIDE = ("../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/.", "..", "a\\..\\b", "C:\\x", "")


@pytest.mark.parametrize("path", OUTSIDE)
async def test_12_a_file_outside_the_project_is_refused(admin: httpx.AsyncClient, session: str, path: str) -> None:
    ref = {"path": path, "sha256": "0" * 64, "size": 0, "mode": 0o644}
    answer = await admin.post(f"/v1/sessions/{session}/snapshots", json={"taken_at": AT, "files": [ref]})
    assert answer.status_code == 422
    assert answer.json()["code"] in ("path_outside_project", "invalid")


@pytest.mark.parametrize("target", ["../x", "/etc/passwd", "a/../../x"])
async def test_12_a_link_is_kept_as_text_and_never_followed(
    admin: httpx.AsyncClient, session: str, target: str
) -> None:
    ref = {"path": "a/link", "sha256": "0" * 64, "size": 0, "mode": 0o777, "link": target}
    made = await admin.post(f"/v1/sessions/{session}/snapshots", json={"taken_at": AT, "files": [ref]})
    assert made.status_code == 201
    files = (await admin.get(f"/v1/snapshots/{made.json()['id']}")).json()["files"]
    assert files == [ref]
