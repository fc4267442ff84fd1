"""Watches: who is watched, since when, and until when."""

import asyncio

import httpx
import pytest

from ..building import CREATED, at, is_problem, new_watch, process, put_watch, report, send_end, state_of
from .conftest import Shared

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_process_is_watched_and_found(shared_api: httpx.AsyncClient) -> None:
    command = new_watch(group="webshop", policy="calm")

    answer = await shared_api.put("/v1/watches", json=command)
    again = await shared_api.put("/v1/watches", json=command)

    assert (answer.status_code, again.status_code) == (201, 200)
    assert answer.json() == again.json()
    watch = answer.json()
    assert {name: watch[name] for name in command} == command
    unknown = {"last_seen_at", "ended_at", "rss_bytes", "transcript_bytes"}
    assert watch.items() >= {"state": "running", **dict.fromkeys(unknown)}.items()
    assert (await shared_api.get(f"/v1/watches/{watch['id']}")).json() == watch


async def test_the_same_process_at_the_same_time_is_one_watch(shared_api: httpx.AsyncClient) -> None:
    command = new_watch()

    answers = await asyncio.gather(*(shared_api.put("/v1/watches", json=command) for _ in range(12)))

    assert sorted(answer.status_code for answer in answers) == [200] * 11 + [201]
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_a_pid_that_was_given_out_again_is_another_watch(shared_api: httpx.AsyncClient) -> None:
    first = await put_watch(shared_api, new_watch("pid reuse"))
    same = await put_watch(shared_api, new_watch("pid reuse", process=process(created=CREATED + 0.9)))
    other = await put_watch(shared_api, new_watch("pid reuse", process=process(created=CREATED + 60)))

    assert same["id"] == first["id"]
    assert other["id"] != first["id"]


async def test_another_session_of_the_process_and_another_client_are_others(shared_api: httpx.AsyncClient) -> None:
    watches = [
        await put_watch(shared_api, new_watch("one", client=client) | {"session": session})
        for session in ("one", "two")
        for client in ("claude-code", "codex")
    ]

    assert len({watch["id"] for watch in watches}) == 4


async def test_an_agent_gives_way_to_whoever_started_it(shared_api: httpx.AsyncClient) -> None:
    found = new_watch("owned", managed_by="agent", started_under_shim=False)
    started = new_watch("owned", managed_by="run", policy="calm")

    assert (await put_watch(shared_api, found))["managed_by"] == "agent"
    owned = await put_watch(shared_api, started)
    again = await put_watch(shared_api, found)

    assert (owned["managed_by"], owned["policy"], owned["started_under_shim"]) == ("run", "calm", True)
    assert again == owned


async def test_beats(shared_api: httpx.AsyncClient, shared: Shared) -> None:
    watch = await put_watch(shared_api)
    path = f"/v1/watches/{watch['id']}"
    beat = {"process": process(), "seen_at": at(-1), "rss_bytes": 300_000_000, "transcript_bytes": 5}

    assert (await shared_api.post(f"{path}/beat", json=beat)).status_code == 204
    late = {**beat, "seen_at": at(-5), "rss_bytes": 1}
    assert (await shared_api.post(f"{path}/beat", json=late)).status_code == 204

    seen = (await shared_api.get(path)).json()
    assert (seen["last_seen_at"], seen["rss_bytes"], seen["transcript_bytes"]) == (
        "2026-11-20T11:59:59Z",
        300_000_000,
        5,
    )
    other = await shared_api.post(f"{path}/beat", json={**beat, "process": process(pid=4712)})
    assert is_problem(other, 409, "another_process")


async def test_a_beat_behind_the_end_wakes_nobody(shared_api: httpx.AsyncClient) -> None:
    watch = await put_watch(shared_api)
    await send_end(shared_api, watch)

    answer = await shared_api.post(
        f"/v1/watches/{watch['id']}/beat", json={"process": process(), "seen_at": at(5), "rss_bytes": 1}
    )

    assert answer.status_code == 204
    assert await state_of(shared_api, watch) == "ended"
    assert (await put_watch(shared_api, {**new_watch(), "session": watch["session"]}))["state"] == "ended"


async def test_an_end_of_another_process_is_refused(shared_api: httpx.AsyncClient) -> None:
    watch = await put_watch(shared_api)
    for other in (process(pid=1), process(created=CREATED - 60)):
        sent = report(process=other)
        answer = await shared_api.post(f"/v1/watches/{watch['id']}/end", json=sent)
        assert is_problem(answer, 409, "another_process")

    assert await state_of(shared_api, watch) == "running"
