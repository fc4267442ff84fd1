"""The same Idempotency-Key: the same answer, and the effect once."""

import asyncio
from typing import Any

import httpx
import pytest

from shim_common.contracts.access import Scope

from ..building import at, open_session
from .conftest import Shared
from .test_routes import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

SNAPSHOT = {"taken_at": at().isoformat(), "files": []}


def keyed(key: str) -> dict[str, str]:
    return {"idempotency-key": key}


async def count(api: httpx.AsyncClient, sid: str, what: str) -> int:
    answer = (await api.get(f"/v1/sessions/{sid}/{what}")).json()
    return len(answer["items"] if isinstance(answer, dict) else answer)


@pytest.mark.parametrize(
    ("what", "body", "other"),
    [("checkpoints", {}, {"note": "x"}), ("snapshots", SNAPSHOT, {**SNAPSHOT, "commit": "c"})],
)
async def test_same_key_same_answer_one_effect(
    shared_api: httpx.AsyncClient, what: str, body: dict[str, Any], other: dict[str, Any]
) -> None:
    sid = await open_session(shared_api, f"same {what}")
    path = f"/v1/sessions/{sid}/{what}"

    first, again = [await shared_api.post(path, json=body, headers=keyed("k")) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert await count(shared_api, sid, what) == 1

    refused = await shared_api.post(path, json=other, headers=keyed("k"))
    assert is_problem(refused, 422, "idempotency_key_reused")
    fresh = await shared_api.post(path, json=other, headers=keyed("k2"))
    assert fresh.json()["id"] != first.json()["id"]
    assert await count(shared_api, sid, what) == 2


async def test_opening_answers_as_it_did(shared_api: httpx.AsyncClient) -> None:
    command = {"client": "c", "client_session_id": "idem", "project": "/p"}

    first, again = [await shared_api.post("/v1/sessions", json=command, headers=keyed("o")) for _ in range(2)]
    without = await shared_api.post("/v1/sessions", json=command)

    assert (first.status_code, again.status_code, without.status_code) == (201, 201, 200)
    assert first.content == again.content


async def test_requests_at_the_same_time_have_one_effect(shared_api: httpx.AsyncClient) -> None:
    sid = await open_session(shared_api, "at once")
    path = f"/v1/sessions/{sid}/checkpoints"

    answers = await asyncio.gather(*(shared_api.post(path, json={}, headers=keyed("c")) for _ in range(12)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await count(shared_api, sid, "checkpoints") == 1


async def test_what_failed_may_be_tried_again(shared_api: httpx.AsyncClient) -> None:
    headers = keyed("f")
    assert (await shared_api.post("/v1/sessions/later/checkpoints", json={}, headers=headers)).status_code == 404
    await open_session(shared_api, "later")

    assert (await shared_api.post("/v1/sessions/later/checkpoints", json={}, headers=headers)).status_code == 201


async def test_a_key_is_its_callers_and_its_routes(shared_api: httpx.AsyncClient, shared: Shared) -> None:
    one, two = await open_session(shared_api, "one"), await open_session(shared_api, "two")
    answers = [
        await shared_api.post(f"/v1/sessions/{sid}/checkpoints", json={}, headers={**keyed("s"), **caller})
        for sid in (one, two)
        for caller in ({}, shared.headers(*Scope, key="key_other"))
    ]

    assert len({answer.json()["id"] for answer in answers}) == 4


@pytest.mark.parametrize("key", ["", "a b", "ü".encode().decode("latin-1"), "x" * 201])
async def test_keys_that_are_none(shared_api: httpx.AsyncClient, key: str) -> None:
    sid = await open_session(shared_api, "keys")
    headers = httpx.Headers([(b"idempotency-key", key.encode("latin-1"))])

    answer = await shared_api.post(f"/v1/sessions/{sid}/checkpoints", json={}, headers=headers)

    assert is_problem(answer, 422, "invalid")
