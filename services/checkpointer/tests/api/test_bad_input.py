"""Whatever is sent: a clear error with a code, nothing stored, and the next request works."""

import base64
import secrets as random_secrets
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from ..building import CLIENT_SESSION, at, everything, hook, new_entry, open_session, prompt
from ..unit.strategies import json_objects
from .test_routes import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

JSON = {"content-type": "application/json"}
ENTRY = b'{"key": "k", "kind": "note", "at": "2026-11-20T12:00:00Z", "body": %s}'


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


async def send(api: httpx.AsyncClient, path: str, raw: bytes) -> httpx.Response:
    return await api.post(path, content=raw, headers=JSON)


async def send_entry(api: httpx.AsyncClient, sid: str, body: bytes) -> httpx.Response:
    return await send(api, f"/v1/sessions/{sid}/entries", b'{"entries": [' + ENTRY % body + b"]}")


@pytest_asyncio.fixture(loop_scope="module")
async def sid(shared_api: httpx.AsyncClient, request: pytest.FixtureRequest) -> str:
    return await open_session(shared_api, f"{hash(request.node.nodeid)}")


@pytest.mark.parametrize(
    ("raw", "status", "code"),
    [
        (b"", 422, "invalid"),
        (b"{", 400, "not_json"),
        (b"nonsense", 400, "not_json"),
        (b"\xff\xfe{}", 400, "not_json"),
        (b'{"entries": [1e999]}', 400, "not_json"),
        (b'{"entries": NaN}', 400, "not_json"),
        (b'{"entries": "\\ud800"}', 400, "not_json"),
        (b'{"entries": "\xed\xa0\x80"}', 400, "not_json"),
        (b"[" * 5000, 400, "not_json"),
        (nested(500), 400, "too_deep"),
        (b"null", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b'"text"', 422, "invalid"),
        (b"{}", 422, "invalid"),
        (b'{"entries": [], "entires": []}', 422, "invalid"),
        (b'{"entries": [{}]}', 422, "invalid"),
        (b'{"entries": {}}', 422, "invalid"),
        (b'{"entries": [], "source": {"file": "f", "start": -1, "end": 5}}', 422, "invalid"),
        (b'{"entries": [], "source": {"file": "f", "start": 6, "end": 5}}', 422, "bad_span"),
        (b'{"entries": [], "source": {"file": "f", "start": 0, "end": 1e30}}', 422, "invalid"),
        (b'{"entries": [' + b",".join([ENTRY % b"{}"] * 1001) + b"]}", 422, "invalid"),
    ],
)
async def test_bodies_of_an_append(shared_api: httpx.AsyncClient, sid: str, raw: bytes, status: int, code: str) -> None:
    answer = await send(shared_api, f"/v1/sessions/{sid}/entries", raw)

    assert is_problem(answer, status, code), answer.text
    assert (await shared_api.get(f"/v1/sessions/{sid}")).json()["position"] == 0


@pytest.mark.parametrize(
    "change",
    [
        {"key": ""},
        {"key": "x" * 201},
        {"key": None},
        {"kind": "poem"},
        {"at": "2026-11-20T12:00:00"},
        {"at": "yesterday"},
        {"at": "0001-01-01T00:00:00+14:00"},
        {"at": "9999-12-31T23:59:59-12:00"},
        {"at": 10**300},
        {"body": []},
        {"body": "text"},
        {"mood": "good"},
    ],
    ids=str,
)
async def test_entries_that_are_none(shared_api: httpx.AsyncClient, sid: str, change: dict[str, Any]) -> None:
    entries = [new_entry("good", prompt("hi")), {**new_entry("bad", {}), **change}]

    answer = await shared_api.post(f"/v1/sessions/{sid}/entries", json={"entries": entries})

    assert is_problem(answer, 422, "invalid"), answer.text
    assert answer.json()["errors"][0]["pointer"].startswith("/body/entries/1")
    assert (await shared_api.get(f"/v1/sessions/{sid}")).json()["position"] == 0  # all or none


@pytest.mark.parametrize("text", [b'"a\\u0000b"', b'{"\\u0000": 1}', b'["x", {"y": ["\\u0000"]}]'])
async def test_nul_characters(shared_api: httpx.AsyncClient, sid: str, text: bytes) -> None:
    assert is_problem(await send_entry(shared_api, sid, b'{"a": %s}' % text), 422, "nul")


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"": ""}',
        b'{"n": %s}' % (b"9" * 300),
        b'{"n": -%s, "m": 18446744073709551615, "f": 1e-300}' % (b"9" * 300),
        b'{"%s": 1}' % (b"k" * 200_000),
        b'{"t": "%s"}' % (b"x" * 2_000_000),
        b'{"message": {"role": "user", "content": "\\ud83d\\ude80 \\uffff \\u200b \xf0\x9f\x9a\x80"}}',
        b'{"message": {"role": "assistant", "usage": {"input_tokens": 18446744073709551615, "cache_read_input_tokens":'
        b' 18446744073709551615}, "content": [{"type": "tool_use", "id": "%s", "name": 7, "input": []}]}}'
        % (b"i" * 9000),
        b'{"a": 1, "a": 2}',
        nested(190),
    ],
    ids=[
        "empty",
        "empty key",
        "300 digits",
        "numbers",
        "huge key",
        "huge text",
        "unicode",
        "usage",
        "key twice",
        "deep",
    ],
)
@pytest.mark.parametrize("kind", ["message", "state", "tool_result", "compaction", "usage"])
async def test_odd_bodies_are_stored_and_come_back(
    shared_api: httpx.AsyncClient, sid: str, kind: str, body: bytes
) -> None:
    raw = b'{"entries": [' + (ENTRY % body).replace(b'"note"', b'"%s"' % kind.encode()) + b"]}"

    answer = await send(shared_api, f"/v1/sessions/{sid}/entries", raw)

    assert answer.status_code == 200, answer.text
    (stored,) = await everything(shared_api, sid)
    assert stored["body"] == orjson.loads(body)  # integers beyond 64 bits become the nearest float
    assert (await shared_api.get(f"/v1/sessions/{sid}/integrity")).json()["verified"] is True
    for path in (f"/v1/sessions/{sid}", f"/v1/sessions/{sid}/signals", f"/v1/recovery?session={sid}"):
        assert (await shared_api.get(path)).status_code == 200
    made = (await shared_api.post(f"/v1/sessions/{sid}/checkpoints", json={})).json()
    assert (await shared_api.get(f"/v1/checkpoints/{made['id']}")).json()["verified"] is True


@given(st.lists(json_objects, max_size=5), st.sampled_from(["message", "state", "tool_call", "error", "meta"]))
@settings(max_examples=30)
async def test_any_json_object_is_a_body(
    shared_api: httpx.AsyncClient, bodies: list[dict[str, Any]], kind: str
) -> None:
    sid = await open_session(shared_api, random_secrets.token_hex(8))
    entries = [new_entry(f"k{number}", body, kind) for number, body in enumerate(bodies)]

    answer = await shared_api.post(f"/v1/sessions/{sid}/entries", json={"entries": entries})

    assert answer.status_code == 200, answer.text
    assert (await shared_api.get("/v1/recovery", params={"session": sid})).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"client": "x" * 65},
        {"client_session_id": ""},
        {"client_session_id": "x" * 201},
        {"project": "/" + "x" * 4096},
        {"client_version": "x" * 65},
        {"model": 5},
        {"more": 1},
    ],
    ids=str,
)
async def test_sessions_that_are_none(shared_api: httpx.AsyncClient, change: dict[str, Any]) -> None:
    command = {"client": "c", "client_session_id": "i", "project": "/p", **change}

    assert is_problem(await shared_api.post("/v1/sessions", json=command), 422, "invalid")


async def test_the_longest_names_that_are_allowed(shared_api: httpx.AsyncClient) -> None:
    project = "/" + random_secrets.token_hex(2047)
    command = {"client": "ü" * 64, "client_session_id": "🚀" * 200, "project": project, "model": "m" * 128}
    answer = await shared_api.post("/v1/sessions", json=command)
    assert answer.status_code == 201, answer.text

    found = (await shared_api.get("/v1/sessions", params={"project": project})).json()["items"]
    assert [one["id"] for one in found] == [answer.json()["id"]]
    assert (await shared_api.get(f"/v1/sessions/{'🚀' * 200}")).json()["client"] == "ü" * 64


async def test_a_name_longer_than_an_index_takes(shared_api: httpx.AsyncClient, sid: str) -> None:
    source = {"file": random_secrets.token_hex(2048), "start": 0, "end": 5}

    answer = await shared_api.post(f"/v1/sessions/{sid}/entries", json={"entries": [], "source": source})

    assert answer.status_code == 200 or is_problem(answer, 422, "not_storable")


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("heartbeat", {"process": {"pid": 0, "created": 1}}),
        ("heartbeat", {"process": {"pid": 2**31, "created": 1}}),
        ("heartbeat", {"process": {"pid": 5, "created": "nan"}}),
        ("heartbeat", {"process": {"pid": 5, "created": "inf"}}),
        ("heartbeat", {"transcript_bytes": -1}),
        ("heartbeat", {"transcript_bytes": 2**63}),
        ("heartbeat", {"tool_processes": [{"pid": 5, "created": "nan", "command": "x"}]}),
        ("heartbeat", {"tool_processes": [{"pid": 5, "created": 1, "command": "x" * 4097}]}),
        ("exit", {"process": {"pid": 5, "created": "-inf"}, "observed_at": at().isoformat()}),
        ("exit", {"process": {"pid": 5, "created": 1}, "observed_at": "now"}),
        ("exit", {"process": {"pid": 5, "created": 1}, "observed_at": at().isoformat(), "exit_code": "9" * 40}),
        ("end", {"reason": "x" * 201}),
        ("checkpoints", {"note": "x" * 2001}),
        ("checkpoints", {"trigger": "risk"}),
    ],
    ids=str,
)
async def test_reports_that_cannot_be(
    shared_api: httpx.AsyncClient, sid: str, route: str, body: dict[str, Any]
) -> None:
    answer = await shared_api.post(f"/v1/sessions/{sid}/{route}", json=body)

    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    session = (await shared_api.get(f"/v1/sessions/{sid}")).json()
    assert (session["state"], session["process"]) == ("active", None)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "after=-1",
        "after=2147483648",
        "cursor=x" + "x" * 500,
        "cursor=%C3%BC",
        "cursor=bm9uc2Vuc2U",
        "cursor=" + base64.urlsafe_b64encode(b'"text"').decode(),
        "cursor=" + base64.urlsafe_b64encode(b"-5").decode(),
        "cursor=" + base64.urlsafe_b64encode(b"18446744073709551615").decode(),
        "cursor=" + base64.urlsafe_b64encode(b"[1]").decode(),
    ],
)
async def test_pages_that_are_none(shared_api: httpx.AsyncClient, sid: str, query: str) -> None:
    answer = await shared_api.get(f"/v1/sessions/{sid}/entries?{query}")

    assert is_problem(answer, 422, "invalid") or is_problem(answer, 400, "bad_cursor"), answer.text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/sessions/%00", 422),
        ("/v1/sessions/" + "x" * 201, 422),
        ("/v1/sessions/..%2f..%2fetc", 404),
        ("/v1/sessions/%FF", 404),
        ("/v1/sessions?state=dreaming", 422),
        ("/v1/sessions?project=%00", 422),
        ("/v1/checkpoints/ckp_xyz", 422),
        ("/v1/checkpoints/%00", 422),
        ("/v1/snapshots/snp_1", 422),
        ("/v1/blobs/xyz", 422),
        ("/v1/recovery", 400),
        ("/v1/recovery?session=%00", 422),
        ("/v1/events?after=%00", 422),
        ("/v1/events?types=" + "x" * 201, 422),
    ],
)
async def test_odd_paths(shared_api: httpx.AsyncClient, path: str, status: int) -> None:
    answer = await shared_api.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


@pytest.mark.parametrize(
    ("payload", "status"),
    [
        ({}, 400),
        ({"session_id": "", "cwd": "/p"}, 400),
        ({"session_id": 5, "cwd": "/p"}, 400),
        ({"session_id": "s", "cwd": None}, 400),
        ([], 422),
    ],
    ids=str,
)
async def test_what_is_no_hook_payload(shared_api: httpx.AsyncClient, payload: Any, status: int) -> None:
    answer = await shared_api.post("/v1/hooks/claude-code/PreToolUse", json=payload)

    assert is_problem(answer, status, "not_a_hook_payload" if status == 400 else "invalid")


@pytest.mark.parametrize(
    "event", ["SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop", "PostCompact"]
)
@pytest.mark.parametrize(
    "field",
    ["model", "source", "prompt", "prompt_id", "tool_use_id", "tool_name", "tool_input", "tool_response", "trigger"],
)
async def test_hook_fields_of_any_kind(shared_api: httpx.AsyncClient, event: str, field: str) -> None:
    values: list[Any] = [None, 5, True, [], {"a": [1]}, "x" * 5000, random_secrets.token_hex(3000), "🚀" * 300]
    for value in values:
        payload = hook("odd", tool_use_id="t", last_assistant_message="x") | {field: value}
        answer = await shared_api.post(f"/v1/hooks/claude-code/{event}", json=payload)
        assert answer.status_code in (200, 204), answer.text
    assert (await shared_api.get("/v1/recovery", params={"session": "odd"})).status_code == 200


@pytest.mark.parametrize("pid", ["0", "-1", "2147483648", "x", ""])
async def test_a_pid_that_is_none(shared_api: httpx.AsyncClient, pid: str) -> None:
    headers = {"x-shim-client-pid": pid}
    answer = await shared_api.post("/v1/hooks/claude-code/Stop", json=hook(CLIENT_SESSION), headers=headers)

    assert is_problem(answer, 422, "invalid")


async def test_an_event_name_that_is_none(shared_api: httpx.AsyncClient) -> None:
    assert is_problem(await shared_api.post("/v1/hooks/claude-code/pre-tool-use", json=hook()), 422, "invalid")


async def test_other_media_types(shared_api: httpx.AsyncClient) -> None:
    answer = await shared_api.post("/v1/sessions", content=b"client=x", headers={"content-type": "text/plain"})

    assert answer.status_code in (415, 422)
    assert answer.headers["content-type"] == "application/problem+json"
