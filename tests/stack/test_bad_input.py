"""What a caller must not do is refused with a code and a way out, and leaves no trace."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from shim_cli.api import Api
from shim_common.contracts.base import JsonObject
from shim_common.contracts.problems import Problem
from shim_common.contracts.sessions import NewSession

from .rig.stack import Stack

pytestmark = pytest.mark.stack

LIMIT = 16 * 1024 * 1024
ENTRY = {"key": "k", "kind": "note", "at": "2026-01-01T00:00:00Z", "body": {"text": "x"}}
SID = "bad-input"


@pytest.fixture(scope="module")
def session(stack: Stack) -> str:
    new = NewSession(client="test", client_session_id=SID, project="/shim-test/bad-input")
    with stack.api() as api:
        return api.open_session(new).client_session_id


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=stack.url, headers=authorized(stack.key()), trust_env=False, timeout=30) as client:
        yield client


def authorized(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}


def problem_of(answer: httpx.Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert problem.status == answer.status_code
    assert problem.detail
    return problem


@dataclass(frozen=True)
class Bad:
    body: bytes
    status: int
    code: str
    path: str = f"/v1/sessions/{SID}/entries"
    headers: JsonObject = field(default_factory=dict)


ONE = b'{"entries": [{"key": "k", "kind": "note", "at": "2026-01-01T00:00:00Z", "body": {"text": "%s"}}]}'

BAD = {
    "no JSON": Bad(b"{", 400, "not_json"),
    "a lone surrogate": Bad(ONE % b"\\ud800", 400, "not_json"),
    "a NUL character": Bad(ONE % b"\\u0000", 422, "nul"),
    "the wrong shape": Bad(b'{"entries": 1}', 422, "invalid"),
    "another media type": Bad(ONE % b"x", 415, "not_json", headers={"Content-Type": "text/plain"}),
    "an unknown session": Bad(ONE % b"x", 404, "session_not_found", path="/v1/sessions/nobody/entries"),
    "a body over the limit": Bad(ONE % (b"x" * LIMIT), 413, "too_large"),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_input_is_refused_and_nothing_of_it_is_stored(http: httpx.Client, api: Api, session: str, bad: Bad) -> None:
    answer = http.post(bad.path, content=bad.body, headers=bad.headers)

    assert (answer.status_code, problem_of(answer).code) == (bad.status, bad.code)
    assert list(api.entries(session)) == []


def test_a_body_over_the_limit_is_refused_also_where_its_length_is_not_said(
    http: httpx.Client, api: Api, session: str
) -> None:
    def pieces() -> Iterator[bytes]:
        yield from [b"x" * 1024 * 1024] * 17

    answer = http.post(f"/v1/sessions/{session}/entries", content=pieces())

    assert (answer.status_code, problem_of(answer).code) == (413, "too_large")
    assert list(api.entries(session)) == []


@pytest.mark.parametrize("secret", ["shim_" + "A" * 43, "not-a-key"])
def test_a_foreign_key_opens_nothing(stack: Stack, http: httpx.Client, secret: str) -> None:
    answer = http.get("/v1/sessions", headers={"Authorization": f"Bearer {secret}"})

    assert problem_of(answer).code == "unauthorized"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert http.get("/v1/sessions").status_code == 200  # the right key is not made to wait for it


def test_a_key_for_hooks_adds_and_reads_nothing(stack: Stack, http: httpx.Client, api: Api) -> None:
    hooks = authorized(stack.key("ingest"))
    new = {"client": "test", "client_session_id": "by-a-hook", "project": "/shim-test/bad-input"}

    assert http.post("/v1/sessions", json=new, headers=hooks).status_code == 201
    added = http.post("/v1/sessions/by-a-hook/entries", json={"entries": [ENTRY]}, headers=hooks)
    assert added.json()["position"] == 1
    for refused in (
        http.get("/v1/sessions/by-a-hook", headers=hooks),
        http.delete("/v1/sessions/by-a-hook", headers=hooks),
        http.get("/v1/keys", headers=hooks),
    ):
        assert problem_of(refused).status == 403
    assert api.session("by-a-hook").position == 1
