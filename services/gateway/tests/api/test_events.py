"""Live events through the whole stack: nothing lost, nothing twice."""

import asyncio
from itertools import count

import httpx
import pytest
from redis.asyncio import Redis

from shim_common.contracts.access import Scope
from shim_common.contracts.envelope import Event
from shim_common.kernel.clock import ManualClock
from shim_gateway.settings import Settings

from .harness import Gateway, make_key, serving_gateway
from .sse import Sent, Stream, streaming

pytestmark = pytest.mark.asyncio(loop_scope="module")
numbers = count()


async def start(admin: httpx.AsyncClient, sessions: int = 1) -> list[str]:
    """Start sessions and return their ids; each start is an event."""
    found = []
    for _ in range(sessions):
        command = {"client": "test", "client_session_id": f"events-{next(numbers)}", "project": "/home/ana/webshop"}
        answer = await admin.post("/v1/sessions", json=command)
        assert answer.status_code == 201, answer.text
        found.append(answer.json()["id"])
    return found


def subjects(events: list[Sent]) -> list[str]:
    return [Event.model_validate_json(event.data).subject for event in events]


async def history(admin: httpx.AsyncClient, after: str) -> list[str]:
    """Return the ids of all events after one."""
    return [event["id"] for event in (await admin.get(f"/v1/events?after={after}&limit=1000")).json()["items"]]


async def first_of(stream: Stream, session: str) -> Sent:
    """Return the event of this session's start; what an earlier test caused may come before it."""
    while subjects([sent := await stream.next()]) != [session]:
        continue
    return sent


async def test_events_come_as_they_happen(admin: httpx.AsyncClient) -> None:
    async with streaming(admin) as stream:
        headers = stream.answer.headers
        assert headers["content-type"].startswith("text/event-stream")
        assert headers["cache-control"] == "no-cache, no-transform"
        assert headers["x-accel-buffering"] == "no"
        (session,) = await start(admin)
        sent = await first_of(stream, session)
    event = Event.model_validate_json(sent.data)
    assert (sent.event, sent.id) == (event.type, event.id) == ("session.started", event.id)
    assert event.session_id == event.subject == session


async def test_every_reader_gets_every_event(admin: httpx.AsyncClient) -> None:
    async with streaming(admin) as one, streaming(admin) as two:
        first, *rest = await start(admin, 3)
        for stream in (one, two):
            await first_of(stream, first)
            assert subjects(await stream.take(2)) == rest


async def test_a_reader_that_comes_back_gets_what_it_missed_first(admin: httpx.AsyncClient) -> None:
    async with streaming(admin) as stream:
        (session,) = await start(admin)
        seen = await first_of(stream, session)
    missed = await start(admin, 3)
    async with streaming(admin, last=seen.id) as stream:
        assert subjects(await stream.take(3)) == missed
        fresh = await start(admin, 2)
        assert subjects(await stream.take(2)) == fresh


async def test_a_reader_that_never_read_gets_everything(admin: httpx.AsyncClient) -> None:
    await start(admin)
    everything = await history(admin, "")
    async with streaming(admin, last="") as stream:
        assert [event.id for event in await stream.take(len(everything))] == everything


async def test_nothing_is_lost_or_doubled_while_events_are_made(admin: httpx.AsyncClient) -> None:
    async with streaming(admin) as stream:
        (session,) = await start(admin)
        last = (await first_of(stream, session)).id
    before = last
    making = asyncio.create_task(start(admin, 60))
    seen: list[str] = []
    for _ in range(12):
        async with streaming(admin, last=last) as stream:
            seen += [event.id for event in await stream.take(5)]
        last = seen[-1]
    await making
    assert seen == await history(admin, before)


async def test_redis_may_be_lost_whole(admin: httpx.AsyncClient, settings: Settings) -> None:
    async with streaming(admin) as stream:
        (before,) = await start(admin)
        seen = await first_of(stream, before)
        async with Redis.from_url(settings.redis_url) as redis:
            await redis.flushdb()
        after = await start(admin, 3)
        assert subjects([seen, *await stream.take(3)]) == [before, *after]
        async with streaming(admin, last=seen.id) as resumed:
            assert subjects(await resumed.take(3)) == after
            fresh = await start(admin, 2)
            assert subjects(await resumed.take(2)) == subjects(await stream.take(2)) == fresh


async def test_readers_get_the_types_and_the_session_they_ask_for(admin: httpx.AsyncClient) -> None:
    async with (
        streaming(admin, types="session.ended,signal.raised") as ended,
        streaming(admin, types="session.started") as started,
    ):
        one, two = await start(admin, 2)
        assert subjects(await started.take(2)) == [one, two]
        async with streaming(admin, session=two) as of_two, streaming(admin, session=two, types="session.ended") as end:
            for session in (one, two):
                await admin.post(f"/v1/sessions/{session}/end", json={})
            assert subjects(await ended.take(2)) == [one, two]
            assert [event.event for event in await of_two.take(1)] == ["session.ended"]
            assert subjects(await end.take(1)) == [two]


async def test_filters_hold_for_what_was_missed_too(admin: httpx.AsyncClient) -> None:
    async with streaming(admin) as stream:
        one, two = await start(admin, 2)
        last = (await stream.next()).id
    for session in (one, two):
        await admin.post(f"/v1/sessions/{session}/end", json={})
    async with streaming(admin, last=last, types="session.ended", session=two) as stream:
        assert subjects(await stream.take(1)) == [two]


async def test_05_a_stream_tells_nothing_more_once_its_key_is_revoked(
    gateway: Gateway, admin: httpx.AsyncClient
) -> None:
    key = await make_key(admin, {Scope.READ})
    async with gateway.client(key["secret"]) as client, streaming(client) as stream:
        (before,) = await start(admin)
        assert subjects(await stream.take(1)) == [before]
        await admin.post(f"/v1/keys/{key['id']}/revoke")
        await start(admin)
        assert await stream.rest() == []


async def test_a_history_that_is_away_is_said_before_a_stream_begins(
    own_settings: Settings, clock: ManualClock
) -> None:
    async with serving_gateway(own_settings, clock) as gateway, gateway.client(gateway.key("admin")) as admin:
        answer = await admin.get("/v1/events/stream", headers={"last-event-id": "evt_1"})
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        figures = (await admin.get("/metrics")).text
        assert "shim_event_listeners 0.0" in figures
        async with streaming(admin):
            assert "shim_event_listeners 1.0" in (await admin.get("/metrics")).text


@pytest.mark.parametrize("headers", [{"last-event-id": "x" * 201}, {"last-event-id": "x" * 3000}])
async def test_an_odd_place_to_go_on_from_is_refused(admin: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await admin.get("/v1/events/stream", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
