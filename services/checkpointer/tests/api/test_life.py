"""A session's life: opened, alive, silent, gone, back, ended, deleted; and listings of sessions."""

import asyncio
from typing import Any

import httpx
import pytest

from shim_checkpointer.api import Services
from shim_common.db.database import Database
from shim_common.kernel.clock import ManualClock

from ..building import (
    CLIENT_SESSION,
    PROJECT,
    Json,
    append,
    at,
    calls,
    everything,
    new_entry,
    open_session,
    prompt,
    reply,
    result,
    says,
)

PROCESS = {"pid": 77, "created": 1763640000.5}


async def state(api: httpx.AsyncClient, sid: str) -> tuple[str, str | None]:
    session = (await api.get(f"/v1/sessions/{sid}")).json()
    return session["state"], session["end_reason"]


async def beat(api: httpx.AsyncClient, sid: str, **about: Any) -> None:
    answer = await api.post(f"/v1/sessions/{sid}/heartbeat", json={"process": PROCESS, **about})
    assert (answer.status_code, answer.content) == (204, b"")


async def gone(api: httpx.AsyncClient, sid: str, **about: Any) -> Json:
    body = {"process": PROCESS, "observed_at": at().isoformat(), **about}
    answer = await api.post(f"/v1/sessions/{sid}/exit", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def events(api: httpx.AsyncClient, sid: str, *wanted: str) -> list[Json]:
    """A session's events, once those wanted are there."""
    async with asyncio.timeout(20):
        while True:
            found = (await api.get("/v1/events", params={"session": sid})).json()["items"]
            if set(wanted) <= {one["type"] for one in found}:
                return list(found)
            await asyncio.sleep(0.02)


async def watch(services: Services, clock: ManualClock, seconds: int) -> None:
    """Let time pass under the eyes of the watch for silence."""
    await services.upkeeping.stop_silent()
    for _ in range(seconds // 2):
        clock.advance(2)
        await services.upkeeping.stop_silent()


async def test_opening(api: httpx.AsyncClient) -> None:
    command = {"client": "claude-code", "client_session_id": "c", "project": f"{PROJECT}/", "client_version": "2.1.329"}

    first = await api.post("/v1/sessions", json=command)
    again = await api.post("/v1/sessions", json={**command, "project": "/elsewhere"})

    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert first.json() == {
        "id": first.json()["id"],
        "chain_id": first.json()["chain_id"],
        "client": "claude-code",
        "client_session_id": "c",
        "client_version": "2.1.329",
        "model": None,
        "project": PROJECT,
        "state": "active",
        "turn_open": False,
        "started_at": "2026-11-20T12:00:00Z",
        "last_seen_at": "2026-11-20T12:00:00Z",
        "ended_at": None,
        "end_reason": None,
        "position": 0,
        "checkpoints": 0,
        "transcript_bytes": 0,
        "context_tokens": 0,
        "process": None,
    }


async def test_two_clients_with_one_id_have_two_sessions(api: httpx.AsyncClient) -> None:
    answers = [
        await api.post("/v1/sessions", json={"client": client, "client_session_id": "same", "project": "/p"})
        for client in ("a", "b", "a", "b")
    ]

    assert [answer.status_code for answer in answers] == [201, 201, 200, 200]
    assert [answer.json()["client"] for answer in answers] == ["a", "b", "a", "b"]


async def test_a_client_whose_ids_look_like_ours(api: httpx.AsyncClient) -> None:
    sid = await open_session(api, "ses_7d2f1a")

    assert (await api.get("/v1/sessions/ses_7d2f1a")).json()["id"] == sid
    assert await open_session(api, "ses_7d2f1a") == sid


async def test_opening_at_the_same_time_makes_one(api: httpx.AsyncClient) -> None:
    assert len(set(await asyncio.gather(*(open_session(api, "race") for _ in range(10))))) == 1


async def test_a_session_that_goes_on_from_another(api: httpx.AsyncClient) -> None:
    parent = await open_session(api, "parent")
    command = {"client": "c", "client_session_id": "fork", "project": PROJECT, "continues": parent}
    chains = [
        (await api.post("/v1/sessions", json=command)).json()["chain_id"],
        (await api.get(f"/v1/sessions/{parent}")).json()["chain_id"],
        (await api.post("/v1/sessions", json={**command, "client_session_id": "x", "continues": "unknown"})).json()[
            "chain_id"
        ],
    ]

    assert chains[0] == chains[1] != chains[2]


async def test_a_beat(api: httpx.AsyncClient, clock: ManualClock) -> None:
    sid = await open_session(api)
    clock.advance(5)

    await beat(api, sid, transcript_bytes=1000, rss_bytes=5)

    session = (await api.get(f"/v1/sessions/{sid}")).json()
    assert (session["process"], session["transcript_bytes"], session["last_seen_at"]) == (
        PROCESS,
        1000,
        "2026-11-20T12:00:05Z",
    )


@pytest.mark.parametrize(("asked", "becomes"), [(True, "interrupted"), (False, "ended")])
async def test_silence(
    api: httpx.AsyncClient, services: Services, clock: ManualClock, *, asked: bool, becomes: str
) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go") if asked else reply(says("Hello"))))
    await beat(api, sid)

    await watch(services, clock, 30)
    assert await state(api, sid) == ("active", None)
    await watch(services, clock, 4)
    assert await state(api, sid) == (becomes, "heartbeat_lapsed")

    await beat(api, sid)
    assert await state(api, sid) == ("active", None)


async def test_who_beats_is_alive_whatever_the_clock_does(
    api: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go")))
    for jump in (0, 3600, -7200, 86_400, 0):
        clock.jump(jump)
        for _ in range(10):
            await watch(services, clock, 4)
            await beat(api, sid)
        assert await state(api, sid) == ("active", None)


async def test_after_a_jump_of_the_clock_the_dead_are_still_found(
    api: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go")))
    await watch(services, clock, 20)
    clock.jump(3600)

    await watch(services, clock, 28)
    assert await state(api, sid) == ("active", None)
    await watch(services, clock, 6)
    assert await state(api, sid) == ("interrupted", "heartbeat_lapsed")


async def test_the_end_of_the_process(api: httpx.AsyncClient, clock: ManualClock) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go")))
    await beat(api, sid)

    other = await gone(api, sid, process={**PROCESS, "pid": 78})
    older = await gone(api, sid, process={**PROCESS, "created": 1763630000.0})
    ours = await gone(api, sid, exit_code=137, process={**PROCESS, "created": 1763640000.9})

    assert [one["state"] for one in (other, older, ours)] == ["active", "active", "interrupted"]
    (made,) = (await api.get(f"/v1/sessions/{sid}/checkpoints")).json()["items"]
    assert made["trigger"] == "interruption"
    told = await events(api, sid, "session.interrupted")
    assert told[-1]["data"] == {"reason": "process_exit", "exit_code": 137}


async def test_a_process_found_dead_after_the_lapse_makes_it_certain(
    api: httpx.AsyncClient, services: Services, clock: ManualClock
) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go")), new_entry("m2", reply(calls("Bash", command="make"))))
    await beat(api, sid)
    await watch(services, clock, 34)
    recovery = (await api.get("/v1/recovery", params={"session": sid})).json()
    assert recovery["confidence"] == "likely"

    shell = {"pid": 99, "created": at(1).timestamp(), "command": "bash -c 'make'"}
    await gone(api, sid, tool_processes=[shell])

    recovery = (await api.get("/v1/recovery", params={"session": sid})).json()
    assert (recovery["confidence"], recovery["pending"][0]["outcome"]) == ("certain", "running")
    assert await state(api, sid) == ("interrupted", "process_exit")


async def test_a_beat_of_another_process_shows_that_it_was_resumed(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go")))
    await beat(api, sid)
    await gone(api, sid)

    await beat(api, sid)  # the last beat of the dead one comes late
    assert (await state(api, sid))[0] == "interrupted"
    await beat(api, sid, process={"pid": 99, "created": 1763649999.0})
    assert (await state(api, sid))[0] == "active"
    assert (await events(api, sid, "session.resumed"))[-1]["data"] == {"reason": "heartbeat"}


async def test_a_session_that_was_ended_on_purpose_stays_so(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go")))
    await beat(api, sid)

    ended = (await api.post(f"/v1/sessions/{sid}/end", json={"reason": "done"})).json()
    again = (await api.post(f"/v1/sessions/{sid}/end", json={"reason": "other"})).json()
    await gone(api, sid)
    await beat(api, sid)

    assert (ended["state"], ended["end_reason"], ended["turn_open"]) == ("ended", "done", False)
    assert again == ended
    assert await state(api, sid) == ("ended", "done")


async def test_what_comes_late_is_kept_and_changes_no_state(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go")))
    await gone(api, sid)

    await append(api, sid, new_entry("m2", reply(calls("Bash", command="make"))))

    assert await state(api, sid) == ("interrupted", "process_exit")
    assert len(await everything(api, sid)) == 2


async def test_an_end_of_the_turn_that_is_read_late_takes_the_interruption_back(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Go")))
    assert (await gone(api, sid))["state"] == "interrupted"

    await append(api, sid, new_entry("m2", reply(says("Done."))))

    assert await state(api, sid) == ("ended", "process_exit")
    told = [one["type"] for one in await events(api, sid, "session.ended")]
    assert told.index("session.interrupted") < told.index("session.ended")
    assert not (await api.get("/v1/recovery", params={"session": sid})).json()["interrupted"]


async def test_exit_and_last_lines_at_the_same_time(api: httpx.AsyncClient) -> None:
    for number in range(5):
        sid = await open_session(api, f"race {number}")
        await append(api, sid, new_entry("m1", prompt("Go")))
        lines = [append(api, sid, new_entry(f"m{n}", reply(says("hm"), stop_reason="tool_use"))) for n in range(2, 8)]
        await asyncio.gather(*lines[:3], gone(api, sid), *lines[3:])

        assert await state(api, sid) == ("interrupted", "process_exit")
        assert (await api.get(f"/v1/sessions/{sid}")).json()["position"] == 7


async def test_a_deleted_session_is_gone_whole(api: httpx.AsyncClient, database: Database) -> None:
    sid, other = await open_session(api), await open_session(api, "other")
    for one in (sid, other):
        await append(api, one, new_entry("m1", prompt("Go")), source={"file": "f", "start": 0, "end": 9})
        await api.post(f"/v1/sessions/{one}/checkpoints", json={})
        await api.post(f"/v1/sessions/{one}/snapshots", json={"taken_at": at().isoformat(), "files": []})
    await events(api, sid, "checkpoint.created")

    assert (await api.delete(f"/v1/sessions/{CLIENT_SESSION}")).status_code == 204

    assert (await api.get(f"/v1/sessions/{sid}")).status_code == 404
    assert (await api.delete(f"/v1/sessions/{sid}")).status_code == 404
    assert (await api.get("/v1/events", params={"session": sid})).json()["items"] == []
    async with database.connection() as connection:
        for table in ("session", "progress", "entry", "source", "checkpoint", "snapshot"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1, table
    assert await open_session(api) != sid
    assert (await api.get(f"/v1/sessions/{CLIENT_SESSION}")).json()["position"] == 0


async def test_listings(api: httpx.AsyncClient) -> None:
    for number in range(7):
        project = "/a" if number % 2 else "/b/"
        command = {"client": f"c{number % 3}", "client_session_id": str(number), "project": project}
        await api.post("/v1/sessions", json=command)
    await api.post("/v1/sessions/3/end", json={})

    async def listed(**query: str) -> list[str]:
        found, cursor = [], None
        while True:
            page = (await api.get("/v1/sessions", params={**query, **({"cursor": cursor} if cursor else {})})).json()
            found += [one["client_session_id"] for one in page["items"]]
            cursor = page.get("next_cursor")
            if cursor is None:
                return found

    assert await listed() == ["6", "5", "4", "3", "2", "1", "0"]
    for limit in ("1", "2", "7", "8"):
        assert await listed(limit=limit) == ["6", "5", "4", "3", "2", "1", "0"]
    assert await listed(project="/a") == await listed(project="/a/") == ["5", "3", "1"]
    assert await listed(project="/b", limit="1") == ["6", "4", "2", "0"]
    assert await listed(state="ended") == ["3"]
    assert await listed(client="c1", project="/a") == ["1"]
    assert await listed(tool_use_id="unknown") == []


async def test_a_new_session_does_not_shift_a_listing(api: httpx.AsyncClient) -> None:
    for number in range(4):
        await open_session(api, str(number))
    first = (await api.get("/v1/sessions", params={"limit": 2})).json()
    await open_session(api, "4")

    second = (await api.get("/v1/sessions", params={"limit": 2, "cursor": first["next_cursor"]})).json()

    assert [one["client_session_id"] for one in second["items"]] == ["1", "0"]


async def test_where_files_are_stored_up_to(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)

    async def send(key: str, start: int, end: int, file: str = "a") -> tuple[int, int]:
        answer = await append(api, sid, new_entry(key, {}), source={"file": file, "start": start, "end": end})
        return answer["appended"], answer["source_end"]

    assert await send("k1", 0, 100) == (1, 100)
    assert await send("k2", 0, 100) == (0, 100)  # bytes that are stored are not looked at
    assert await send("k3", 100, 200) == (1, 200)
    assert await send("k4", 500, 600) == (1, 600)  # a gap
    assert await send("k5", 550, 700) == (1, 700)  # an overlap: the keys decide
    assert await send("k5", 550, 800) == (0, 800)
    assert await send("k5", 0, 50, "b") == (0, 50)
    assert (await append(api, sid, source={"file": "a", "start": 800, "end": 900}))["source_end"] == 900
    assert (await api.get(f"/v1/sessions/{sid}/sources")).json() == [
        {"file": "a", "end": 900},
        {"file": "b", "end": 50},
    ]


async def test_a_checkpoint_every_five_calls_although_some_never_end(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    made: list[int] = []
    for number in range(20):
        lost = number in (3, 7, 8)
        entries = [new_entry(f"c{number}", reply(calls("Bash", f"t{number}"), message_id=f"msg_{number}"))]
        entries += [] if lost else [new_entry(f"r{number}", result("ok", f"t{number}"))]
        if (await append(api, sid, *entries))["checkpoint_id"]:
            made.append(number)

    assert made == [5, 12, 17]
    listed = (await api.get(f"/v1/sessions/{sid}/checkpoints")).json()["items"]
    assert [(one["number"], one["trigger"]) for one in listed] == [(n, "tool_calls") for n in (3, 2, 1)]


async def test_checkpoints(api: httpx.AsyncClient, clock: ManualClock) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Add a cart. Never touch the payments.")))
    made = []
    for number in range(3):
        clock.advance(1)
        body = {"note": f"note {number}", "trigger": "risky_operation" if number else "on_demand"}
        made.append((await api.post(f"/v1/sessions/{sid}/checkpoints", json=body)).json())
        await append(api, sid, new_entry(f"n{number}", reply(calls("Edit", f"t{number}", file_path=f"/f{number}"))))

    page = (await api.get(f"/v1/sessions/{sid}/checkpoints", params={"limit": 2})).json()
    rest = (await api.get(f"/v1/sessions/{sid}/checkpoints", params={"cursor": page["next_cursor"]})).json()
    assert [*page["items"], *rest["items"]] == made[::-1]
    states = [(await api.get(f"/v1/checkpoints/{one['id']}")).json() for one in made]
    assert [one["verified"] for one in states] == [True] * 3
    assert [one["files_edited"] for one in states] == [[], ["/f0"], ["/f0", "/f1"]]
    assert states[0]["constraints"] == ["Never touch the payments."]
    assert states[0]["task"]["operation"] == "Add a cart. Never touch the payments."
    assert [len(one["pending"]) for one in states] == [0, 1, 2]
    told = await events(api, sid, "checkpoint.created")
    first = next(one for one in told if one["type"] == "checkpoint.created")
    assert first["subject"] == made[0]["id"]
    assert first["data"]["trigger"] == "on_demand"
    assert first["data"]["size"] > 50


async def test_recovery_of_a_project(api: httpx.AsyncClient, clock: ManualClock) -> None:
    nothing = (await api.get("/v1/recovery", params={"project": PROJECT})).json()
    assert (nothing["interrupted"], nothing["session"], nothing["confidence"]) == (False, None, "none")
    for name in ("first", "second", "third"):
        clock.advance(1)
        await append(api, await open_session(api, name), new_entry("m1", prompt(f"Task of {name}")))
    running = (await api.get("/v1/recovery", params={"project": PROJECT})).json()
    assert running["interrupted"] is False
    for name in ("first", "third"):
        await gone(api, name)
    await api.post("/v1/sessions/second/end", json={})

    recovery = (await api.get("/v1/recovery", params={"project": f"{PROJECT}/"})).json()

    assert (recovery["interrupted"], recovery["session"]["client_session_id"]) == (True, "third")
    assert (recovery["confidence"], recovery["others"]) == ("certain", ["first"])
    assert "its process ended while a turn was open" in recovery["why"]
    assert recovery["resume"] == ["claude", "--resume", "third"]
    ended = (await api.get("/v1/recovery", params={"session": "second"})).json()
    assert (ended["interrupted"], ended["why"].split(";")[0]) == (False, "the session ended (closed) with no turn open")
    assert (await api.get("/v1/recovery", params={"project": "/elsewhere"})).json()["interrupted"] is False


async def test_signals_are_raised_told_and_cleared(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    failing = [(calls("Bash", f"t{n}"), result("Exit 1", f"t{n}", failed=True)) for n in range(4)]
    entries = [
        new_entry(f"{n}{kind}", body)
        for n, (call, end) in enumerate(failing)
        for kind, body in (("c", reply(call)), ("r", end))
    ]
    await append(api, sid, *entries)

    report = (await api.get(f"/v1/sessions/{sid}/signals")).json()
    assert {one["name"] for one in report["raised"]} == {"error_streak"}
    assert report["measures"]["error_streak"] == 4
    assert "4 tool calls failed in a row" in report["raised"][0]["why"]

    await append(api, sid, new_entry("ok", reply(calls("Bash", "t9"))), new_entry("done", result("fine", "t9")))
    report = (await api.get(f"/v1/sessions/{sid}/signals")).json()
    assert {one["name"] for one in report["raised"]} == {"tool_failure_rate"}
    history = (await api.get(f"/v1/sessions/{sid}/signals/history", params={"limit": 1})).json()
    older = (await api.get(f"/v1/sessions/{sid}/signals/history", params={"cursor": history["next_cursor"]})).json()
    assert [one["name"] for one in (*history["items"], *older["items"])] == ["tool_failure_rate", "error_streak"]
    assert older["items"][0]["cleared_at"] is not None
    told = await events(api, sid, "signal.cleared")
    assert [(one["type"], one["data"]["name"]) for one in told if one["type"].startswith("signal")] == [
        ("signal.raised", "error_streak"),
        ("signal.raised", "tool_failure_rate"),
        ("signal.cleared", "error_streak"),
    ]


async def test_a_session_that_is_over_grows_no_older(api: httpx.AsyncClient, clock: ManualClock) -> None:
    sid = await open_session(api)
    clock.advance(600)
    await api.post(f"/v1/sessions/{sid}/end", json={})
    clock.advance(86_400)

    assert (await api.get(f"/v1/sessions/{sid}/signals")).json()["measures"]["session_duration"] == 10


async def test_risk_is_known_from_the_first_call_and_alarms_before_the_threshold(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    unknown = await api.get(f"/v1/sessions/{sid}/risk")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "risk_unknown")

    for number, tokens in enumerate([20_000, 100_000, 150_000, 163_000]):
        usage = {"usage": {"input_tokens": tokens, "output_tokens": 500}, "model": "m", "version": "2.1.42"}
        await append(api, sid, new_entry(f"m{number}", reply(says("hm"), message_id=f"msg_{number}", **usage)))
        risk = (await api.get(f"/v1/sessions/{sid}/risk")).json()
        if number == 0:
            assert risk["alarm"] is False

    assert risk["alarm"] is True
    assert risk["probability"] > 0.5
    assert risk["calls_left_low"] <= risk["calls_left"] <= risk["calls_left_high"]
    listed = (await api.get(f"/v1/sessions/{sid}/checkpoints")).json()["items"]
    assert "risk" in {one["trigger"] for one in listed}


async def test_parameters(api: httpx.AsyncClient) -> None:
    items = {one["name"]: one for one in (await api.get("/v1/parameters")).json()["items"]}

    assert items["checkpoint_every"]["value"] == items["checkpoint_every"]["default"] == 5
    assert all(one["minimum"] <= one["value"] <= one["maximum"] and one["meaning"] for one in items.values())
    assert {"heartbeat_lapse_s", "message_limit", "store_budget_gib"} <= items.keys()


async def test_events_page_by_page(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    for _ in range(5):
        await api.post(f"/v1/sessions/{sid}/checkpoints", json={})
    async with asyncio.timeout(20):
        while len(all_events := (await api.get("/v1/events")).json()["items"]) < 6:
            await asyncio.sleep(0.02)
    pages: list[Json] = []
    after: dict[str, str] = {}
    while True:
        page = (await api.get("/v1/events", params={"limit": 2, **after})).json()
        pages += page["items"]
        if page["next_cursor"] is None:
            break
        after = {"after": page["next_cursor"]}

    assert pages == all_events
    only = (await api.get("/v1/events", params={"types": "session.started,session.ended"})).json()["items"]
    assert [one["type"] for one in only] == ["session.started"]
    assert only[0]["actor"] == "key_test"
    assert (only[0]["source"], only[0]["session_id"], only[0]["project_id"]) == ("checkpointer", sid, PROJECT)


async def test_secrets_are_never_stored(api: httpx.AsyncClient, database: Database) -> None:
    secret = "ghp_" + "a1B2" * 9
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt(f"Use {secret} for it")))

    assert secret not in str(await everything(api, sid))
    assert "[redacted:" in str(await everything(api, sid))
    assert secret not in (await api.get("/v1/recovery", params={"session": sid})).text
