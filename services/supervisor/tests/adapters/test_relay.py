"""Events reach the stream in the order in which they were committed."""

import asyncio

import httpx
from redis.asyncio import Redis

from shim_common.contracts.envelope import Event
from shim_common.db.outbox import STREAM

from ..building import incident_of, send_attempt

PATIENCE = 10
"""Seconds after which a test gives up."""


async def test_events_are_published(api: httpx.AsyncClient, redis: Redis) -> None:
    incident = await incident_of(api, "escalate")
    await send_attempt(api, incident)
    expected = [
        "process.exited",
        "incident.opened",
        "incident.escalated",
        "restart.attempted",
        "incident.resolved",
    ]

    async with asyncio.timeout(PATIENCE):
        while len(entries := await redis.xrange(STREAM)) < len(expected):
            await asyncio.sleep(0.01)

    published = [Event.model_validate_json(fields[b"event"]) for _, fields in entries]
    assert [event.type for event in published] == expected
    for event in published:
        assert (event.source, event.actor) == ("supervisor", "key_test")
        assert (event.session_id, event.project_id) == (incident["session"], incident["project"])
        assert event.data["watch_id"] == incident["watch_id"]


async def test_everything_is_taken_without_redis(api: httpx.AsyncClient, redis: Redis) -> None:
    await redis.flushall()
    incident = await incident_of(api)

    assert (await send_attempt(api, incident))["state"] == "resumed"
