"""Incidents: opened by an end, closed by a client that runs again or by a person."""

import asyncio
from datetime import datetime

import httpx
import pytest

from shim_common.db.database import Database

from ..building import (
    CREATED,
    Json,
    at,
    attempt,
    events,
    heard,
    incident_of,
    is_problem,
    new_watch,
    process,
    put_watch,
    report,
    send_attempt,
    send_end,
)
from .conftest import Shared

pytestmark = pytest.mark.asyncio(loop_scope="module")

STEPS = [
    ("restart", "open", ["process.exited", "incident.opened"]),
    ("wait", "open", ["process.exited", "incident.opened"]),
    ("offer", "offered", ["process.exited", "incident.opened"]),
    ("suppress", "suppressed", ["process.exited", "incident.opened", "restart.suppressed"]),
    ("escalate", "escalated", ["process.exited", "incident.opened", "incident.escalated"]),
]


def get(api: httpx.AsyncClient, incident: Json) -> "asyncio.Future[httpx.Response]":
    return asyncio.ensure_future(api.get(f"/v1/incidents/{incident['id']}"))


@pytest.mark.parametrize(("step", "state", "types"), STEPS)
async def test_what_an_end_begins(
    shared_api: httpx.AsyncClient, shared_database: Database, step: str, state: str, types: list[str]
) -> None:
    watch = await put_watch(shared_api)
    sent = report(step, signal=9)

    incident = await send_end(shared_api, watch, sent)

    assert incident is not None
    assert (incident["state"], incident["watch_id"], incident["session"]) == (state, watch["id"], watch["session"])
    assert (incident["end"]["kind"], incident["end"]["signal"]) == ("killed", 9)
    assert incident["decision"]["step"] == step
    assert (incident["closed_at"], incident["attempts"]) == (None, [])
    assert await heard(shared_database, watch["session"]) == types
    assert (await get(shared_api, incident)).json() == incident
    ended = (await shared_api.get(f"/v1/watches/{watch['id']}")).json()
    assert (ended["state"], ended["ended_at"]) == ("ended", "2026-11-20T12:00:00Z")


@pytest.mark.parametrize(("step", "kind"), [("leave", "killed"), ("leave", "closed"), ("restart", "closed")])
async def test_an_end_that_needs_nothing(
    shared_api: httpx.AsyncClient, shared_database: Database, step: str, kind: str
) -> None:
    watch = await put_watch(shared_api)
    sent = report(step, kind)

    assert await send_end(shared_api, watch, sent) is None
    assert await send_end(shared_api, watch, sent) is None
    assert await heard(shared_database, watch["session"]) == ["process.exited"]
    listed = await shared_api.get("/v1/incidents", params={"session": watch["session"]})
    assert listed.json()["items"] == []


async def test_the_same_report_again_is_one(shared_api: httpx.AsyncClient, shared_database: Database) -> None:
    watch = await put_watch(shared_api)
    sent = report()

    answers = await asyncio.gather(*(send_end(shared_api, watch, sent) for _ in range(12)))

    assert all(answer == answers[0] for answer in answers)
    assert await heard(shared_database, watch["session"]) == ["process.exited", "incident.opened"]


async def test_two_reporters_of_one_end_begin_one_incident(
    shared_api: httpx.AsyncClient, shared_database: Database
) -> None:
    watch = await put_watch(shared_api)

    answers = await asyncio.gather(*(send_end(shared_api, watch, report(step)) for step in ("restart", "offer") * 4))

    assert len({answer["id"] for answer in answers if answer}) == 1
    assert (await heard(shared_database, watch["session"])).count("process.exited") == 1
    assert (await heard(shared_database, watch["session"])).count("incident.opened") == 1


async def test_who_leaves_it_alone_does_not_speak_for_its_owner(
    shared_api: httpx.AsyncClient, shared_database: Database
) -> None:
    watch = await put_watch(shared_api)

    assert await send_end(shared_api, watch, report("leave")) is None
    assert await send_end(shared_api, watch, report("restart")) is not None
    assert await send_end(shared_api, watch, report("leave")) is not None
    assert await heard(shared_database, watch["session"]) == ["process.exited", "incident.opened"]


async def test_an_id_is_for_one_report(shared_api: httpx.AsyncClient) -> None:
    one, two = await put_watch(shared_api), await put_watch(shared_api)
    incident = await send_end(shared_api, one, report(report_id="r"))
    assert incident is not None

    answer = await shared_api.post(f"/v1/watches/{two['id']}/end", json=report(report_id="r"))
    tried = await shared_api.post(f"/v1/incidents/{incident['id']}/attempts", json=attempt(report_id="r"))

    assert is_problem(answer, 422, "report_id_reused")
    assert is_problem(tried, 422, "report_id_reused")
    assert (await shared_api.get(f"/v1/watches/{two['id']}")).json()["state"] == "running"
    assert (await get(shared_api, incident)).json()["attempts"] == []


async def test_a_client_that_runs_again_ends_it(
    shared_api: httpx.AsyncClient, shared_database: Database, shared: Shared
) -> None:
    incident = await incident_of(shared_api)
    shared.clock.advance(10)

    failed = await send_attempt(shared_api, incident, attempt("failed", at=at(1), why="no such program"))
    assert (failed["state"], failed["closed_at"]) == ("open", None)
    resumed = await send_attempt(shared_api, incident, attempt(at=at(2.5), pid=4999, launcher="tmux"))

    assert (resumed["state"], resumed["closed_at"]) == ("resumed", "2026-11-20T12:00:02.500000Z")
    assert [tried["outcome"] for tried in resumed["attempts"]] == ["failed", "running"]
    assert resumed["attempts"][1] == {
        "at": "2026-11-20T12:00:02.500000Z",
        "outcome": "running",
        "pid": 4999,
        "launcher": "tmux",
        "why": "",
    }
    found = await events(shared_database, incident["session"])
    assert [event.type for event in found][2:] == ["restart.attempted", "restart.attempted", "incident.resolved"]
    assert found[-1].data["seconds"] == 2.5
    assert found[-1].data["state"] == "resumed"


async def test_the_same_attempt_again_is_one(shared_api: httpx.AsyncClient, shared_database: Database) -> None:
    incident = await incident_of(shared_api)
    sent = attempt(pid=5000)

    answers = await asyncio.gather(*(send_attempt(shared_api, incident, sent) for _ in range(12)))

    assert all(len(answer["attempts"]) == 1 for answer in answers)
    assert (await heard(shared_database, incident["session"]))[2:] == ["restart.attempted", "incident.resolved"]


async def test_a_newer_process_ends_the_older_ones_incident(
    shared_api: httpx.AsyncClient, shared_database: Database
) -> None:
    watch = await put_watch(shared_api)
    incident = await incident_of(shared_api, "offer", watch)

    await put_watch(shared_api, new_watch(watch["session"], process=process(pid=5000, created=CREATED + 5)))
    tried = await send_attempt(shared_api, incident, attempt(pid=5000))

    assert (await get(shared_api, incident)).json()["state"] == "resumed"
    assert (tried["state"], len(tried["attempts"])) == ("resumed", 1)
    assert (await heard(shared_database, watch["session"]))[2:] == ["incident.resolved", "restart.attempted"]


async def test_a_late_end_is_no_incident_of_the_process_that_runs_now(
    shared_api: httpx.AsyncClient, shared_database: Database
) -> None:
    old = await put_watch(shared_api)
    new = await put_watch(shared_api, new_watch(old["session"], process=process(pid=5000, created=CREATED + 5)))

    incident = await send_end(shared_api, old)

    assert incident is not None
    assert (incident["watch_id"], incident["state"]) == (old["id"], "resumed")
    assert (await shared_api.get(f"/v1/watches/{new['id']}")).json()["state"] == "running"
    assert await heard(shared_database, old["session"]) == ["process.exited", "incident.opened", "incident.resolved"]
    crash = await send_end(shared_api, new, report(process=process(pid=5000, created=CREATED + 5)))
    assert crash is not None
    assert (crash["watch_id"], crash["state"]) == (new["id"], "open")


async def test_an_older_process_does_not_stand_for_a_newer_one(shared_api: httpx.AsyncClient) -> None:
    """Two clients on one session: the newer one's end is an incident, although the older one runs on."""
    newer_process = process(pid=5000, created=CREATED + 5)
    newer = await put_watch(shared_api, new_watch("two writers", process=newer_process))
    older = await put_watch(shared_api, new_watch("two writers"))

    crash = await send_end(shared_api, newer, report(process=newer_process))
    assert crash is not None
    late = await send_end(shared_api, older)

    assert late is not None
    assert (crash["state"], late["state"]) == ("open", "open")
    assert (await get(shared_api, crash)).json()["state"] == "open"


async def test_what_was_dismissed_stays_so_when_the_session_runs_again(shared_api: httpx.AsyncClient) -> None:
    watch = await put_watch(shared_api)
    incident = await incident_of(shared_api, "offer", watch)
    dismissed = (await shared_api.post(f"/v1/incidents/{incident['id']}/dismiss")).json()

    await put_watch(shared_api, new_watch(watch["session"], process=process(pid=5000, created=CREATED + 5)))

    assert (await get(shared_api, incident)).json() == dismissed


async def test_ends_and_replacements_at_the_same_time_leave_nothing_open(shared_api: httpx.AsyncClient) -> None:
    for number in range(5):
        old = await put_watch(shared_api, new_watch(f"race-{number}"))
        newer = new_watch(f"race-{number}", process=process(pid=5000, created=CREATED + 5))

        incident, _ = await asyncio.gather(send_end(shared_api, old), put_watch(shared_api, newer))

        assert incident is not None
        assert (await get(shared_api, incident)).json()["state"] == "resumed"


async def test_a_resume_that_crashes_is_an_incident_of_its_own(shared_api: httpx.AsyncClient) -> None:
    watch = await put_watch(shared_api)
    first = await incident_of(shared_api, "restart", watch)
    await send_attempt(shared_api, first, attempt(pid=5000))
    resumed = process(pid=5000, created=CREATED + 5)
    second_watch = await put_watch(shared_api, new_watch(watch["session"], process=resumed))

    second = await send_end(shared_api, second_watch, report("escalate", process=resumed))

    assert second is not None
    listed = (await shared_api.get("/v1/incidents", params={"session": watch["session"]})).json()["items"]
    assert [(one["id"], one["state"]) for one in listed] == [(second["id"], "escalated"), (first["id"], "resumed")]


@pytest.mark.parametrize("step", ["offer", "escalate", "suppress", "restart"])
async def test_asking_for_a_restart(shared_api: httpx.AsyncClient, shared_database: Database, step: str) -> None:
    incident = await incident_of(shared_api, step)

    answer = await shared_api.post(
        f"/v1/incidents/{incident['id']}/restart", json={"launcher": "tmux", "tools": "keep"}
    )

    assert (answer.status_code, answer.json()["state"]) == (202, "open")
    requested = (await events(shared_database, incident["session"]))[-1]
    assert (requested.type, requested.actor, requested.session_id) == (
        "restart.requested",
        "key_test",
        incident["session"],
    )
    assert (requested.data["launcher"], requested.data["tools"]) == ("tmux", "keep")


async def test_asking_twice_with_one_key_asks_once(shared_api: httpx.AsyncClient, shared_database: Database) -> None:
    incident = await incident_of(shared_api, "offer")
    path, headers = f"/v1/incidents/{incident['id']}/restart", {"idempotency-key": "k"}

    answers = await asyncio.gather(*(shared_api.post(path, json={}, headers=headers) for _ in range(8)))
    other = await shared_api.post(path, json={"tools": "end"}, headers=headers)

    assert {(answer.status_code, answer.content) for answer in answers} == {(202, answers[0].content)}
    assert is_problem(other, 422, "idempotency_key_reused")
    assert (await heard(shared_database, incident["session"])).count("restart.requested") == 1


async def test_dismissing(shared_api: httpx.AsyncClient, shared_database: Database) -> None:
    incident = await incident_of(shared_api, "offer")
    path = f"/v1/incidents/{incident['id']}"

    first, again = [await shared_api.post(f"{path}/dismiss") for _ in range(2)]

    assert (first.status_code, first.json()["state"]) == (200, "dismissed")
    assert again.json() == first.json()
    assert (await heard(shared_database, incident["session"])).count("incident.resolved") == 1
    assert (await events(shared_database, incident["session"]))[-1].data["state"] == "dismissed"
    wanted = await shared_api.post(f"{path}/restart", json={})
    assert (wanted.json()["state"], wanted.json()["closed_at"]) == ("open", None)


async def test_what_runs_again_is_neither_restarted_nor_dismissed(shared_api: httpx.AsyncClient) -> None:
    incident = await incident_of(shared_api)
    await send_attempt(shared_api, incident)

    for action, body in (("restart", {}), ("dismiss", None)):
        assert is_problem(await shared_api.post(f"/v1/incidents/{incident['id']}/{action}", json=body), 409, "resumed")


async def test_secrets_are_taken_out_before_they_are_stored(
    shared_api: httpx.AsyncClient, shared_database: Database
) -> None:
    secret = "sk-ant-api03-" + "Zx9" * 31
    tool = {"pid": 99, "created": 1.0, "command": f"curl -H 'x-api-key: {secret}' http://127.0.0.1"}
    incident = await send_end(shared_api, await put_watch(shared_api), report(tool_processes=[tool]))
    assert incident is not None
    tried = await send_attempt(shared_api, incident, attempt("failed", why=f"refused {secret}"))

    assert "curl" in tried["end"]["tool_processes"][0]["command"]
    assert secret not in str(tried)
    assert all(secret not in event.model_dump_json() for event in await events(shared_database, incident["session"]))
    async with shared_database.connection() as connection:
        stored = await connection.fetchval(
            "SELECT convert_from(ending, 'UTF8') FROM incident WHERE id = $1", incident["id"]
        )
    assert "curl" in stored
    assert secret not in stored


async def test_clocks_of_reporters_that_are_wrong(shared_api: httpx.AsyncClient, shared: Shared) -> None:
    incident = await send_end(shared_api, await put_watch(shared_api), report(observed_at=at(86_400)))
    assert incident is not None

    resumed = await send_attempt(shared_api, incident, attempt(at=at(-86_400)))

    assert resumed["opened_at"] == incident["opened_at"] == resumed["closed_at"]
    assert datetime.fromisoformat(incident["opened_at"]) == shared.clock.now()
