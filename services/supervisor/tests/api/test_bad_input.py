"""Bad input: a clear problem, and nothing of it stored."""

from typing import Any

import httpx
import pytest

from ..building import at, attempt, incident_of, is_problem, new_watch, process, put_watch, report
from .conftest import Shared

pytestmark = pytest.mark.asyncio(loop_scope="module")


def without(document: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != name}


BAD_WATCHES: list[Any] = [
    {},
    [],
    None,
    without(new_watch(), "process"),
    new_watch(session=None) | {"session": ""},
    new_watch("x" * 201),
    new_watch(client="c" * 65),
    new_watch(project="p" * 4097),
    new_watch(policy="Default!"),
    new_watch(managed_by="nobody"),
    new_watch(process={"pid": 0, "created": 1}),
    new_watch(process={"pid": 2**31, "created": 1}),
    new_watch(process={"pid": "x", "created": 1}),
    new_watch(process={"pid": 1}),
    new_watch(surprise=1),
]


@pytest.mark.parametrize("body", BAD_WATCHES, ids=range(len(BAD_WATCHES)))
async def test_what_is_no_watch(shared_api: httpx.AsyncClient, body: Any) -> None:
    before = (await shared_api.get("/v1/watches")).json()

    assert is_problem(await shared_api.put("/v1/watches", json=body), 422, "invalid")
    assert (await shared_api.get("/v1/watches")).json() == before


BAD_ENDS: list[Any] = [
    {},
    without(report(), "id"),
    report(report_id="x" * 65),
    without(report(), "decision"),
    report(kind="vanished"),
    report(step="shrug"),
    report(exit_code=256),
    report(exit_code=-1),
    report(signal=0),
    report(observed_at="yesterday"),
    report(observed_at="2026-11-20T12:00:00"),
    report(observed_at="9999-12-31T23:59:59-12:00"),
    report(tool_processes=[{"pid": 1, "created": 1, "command": ""}] * 201),
    report() | {"decision": {"step": "restart", "why": "x", "wait_s": -1}},
]


@pytest.mark.parametrize("body", BAD_ENDS, ids=range(len(BAD_ENDS)))
async def test_what_is_no_end(shared_api: httpx.AsyncClient, body: Any) -> None:
    watch = await put_watch(shared_api)

    assert is_problem(await shared_api.post(f"/v1/watches/{watch['id']}/end", json=body), 422, "invalid")
    assert (await shared_api.get(f"/v1/watches/{watch['id']}")).json() == watch


@pytest.mark.parametrize(
    "body",
    [{}, attempt("perhaps"), attempt(pid=0), attempt(why="x" * 501), attempt(launcher="No Name"), attempt(at="now")],
    ids=range(6),
)
async def test_what_is_no_attempt(shared_api: httpx.AsyncClient, body: Any) -> None:
    incident = await incident_of(shared_api)

    assert is_problem(await shared_api.post(f"/v1/incidents/{incident['id']}/attempts", json=body), 422, "invalid")
    assert (await shared_api.get(f"/v1/incidents/{incident['id']}")).json() == incident


RAW = [
    (b"", 422, "invalid"),
    (b"{", 400, "not_json"),
    (b'{"session": NaN}', 400, "not_json"),
    (b'{"session": "\\ud800"}', 400, "not_json"),
    (b'{"session": "a\\u0000b"}', 422, "nul"),
    (b"[" * 100_000, 400, "not_json"),
    (b"\xff\xfe", 400, "not_json"),
]


@pytest.mark.parametrize(("raw", "status", "code"), RAW, ids=range(len(RAW)))
@pytest.mark.parametrize("path", ["/v1/watches", "/v1/policies/calm"])
async def test_what_is_no_json(shared_api: httpx.AsyncClient, raw: bytes, status: int, code: str, path: str) -> None:
    answer = await shared_api.put(path, content=raw, headers={"content-type": "application/json"})

    assert is_problem(answer, status, code)


async def test_creation_times_that_are_none(shared_api: httpx.AsyncClient) -> None:
    watch = await put_watch(shared_api)
    infinite = httpx.Headers({"content-type": "application/json"})
    body = httpx.Request("PUT", "http://x", json=new_watch("inf", process=process(created=77.25))).content

    answer = await shared_api.put("/v1/watches", content=body.replace(b"77.25", b"1e999"), headers=infinite)

    assert answer.status_code in (400, 422)
    assert answer.json()["code"] in ("not_json", "no_creation_time")
    assert (await shared_api.get(f"/v1/watches/{watch['id']}")).status_code == 200


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/watches?limit=0", 422, "invalid"),
        ("/v1/watches?limit=1001", 422, "invalid"),
        ("/v1/watches?state=asleep", 422, "invalid"),
        ("/v1/watches?cursor=!!!", 400, "bad_cursor"),
        ("/v1/incidents?cursor=ImEi", 400, "bad_cursor"),
        ("/v1/incidents?state=asleep", 422, "invalid"),
        ("/v1/incidents?session=a%00b", 422, "invalid"),
        ("/v1/incidents?session=" + "x" * 201, 422, "invalid"),
        ("/v1/watches/wch_1", 422, "invalid"),
        ("/v1/incidents/inc_" + "0" * 33, 422, "invalid"),
        ("/v1/incidents/wch_" + "0" * 32, 422, "invalid"),
    ],
)
async def test_bad_parameters(shared_api: httpx.AsyncClient, path: str, status: int, code: str) -> None:
    assert is_problem(await shared_api.get(path), status, code)


async def test_moments_at_the_edge_of_time(shared_api: httpx.AsyncClient) -> None:
    for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", at(1e9)):
        watch = await put_watch(shared_api)
        sent = report("wait", "usage_limit", observed_at=moment, resets_at=moment)
        answer = await shared_api.post(f"/v1/watches/{watch['id']}/end", json=sent)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("calm", {"name": "other"}, "name_mismatch"),
        ("Calm", {}, "invalid"),
        ("..", {}, "not_found"),
        ("x" * 65, {}, "invalid"),
        ("calm", {"intensity": 0}, "invalid"),
        ("calm", {"backoff_cap_s": 1e9}, "invalid"),
        ("calm", {"backoff_base_s": 0}, "invalid"),
        ("calm", {"window_s": -1}, "invalid"),
        ("calm", {"mode": "sometimes"}, "invalid"),
        ("calm", {"intensty": 5}, "invalid"),
    ],
)
async def test_what_is_no_policy(shared_api: httpx.AsyncClient, name: str, body: dict[str, object], code: str) -> None:
    answer = await shared_api.put(f"/v1/policies/{name}", json=body)

    assert is_problem(answer, 404 if code == "not_found" else 422, code)
    assert len((await shared_api.get("/v1/policies")).json()["items"]) == 1


async def test_a_foreign_token_is_none(shared: Shared) -> None:
    assert is_problem(await shared.anonymous.get("/v1/watches"), 401, "unauthorized")
