"""The stream itself: heartbeats, readers that are too slow, keys that end."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from redis.asyncio import Redis
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from shim_common.contracts.access import Scope
from shim_common.contracts.envelope import Event, EventPage
from shim_common.kernel.errors import Unavailable
from shim_common.web import problems
from shim_common.web.tokens import Caller
from shim_gateway.api import events
from shim_gateway.api.door import CALLER, STILL_HOLDS
from shim_gateway.metrics import Metrics

from .harness import PATIENCE, URL, serving
from .sse import streaming


def event(number: int) -> Event:
    return Event(
        id=f"evt_{number}",
        type="session.started",
        occurred_at=datetime(2026, 11, 20, tzinfo=UTC),
        source="test",
        subject="ses_1",
        actor="test",
        data={"filler": "x" * 1000},
    )


def ids(numbers: Iterable[int]) -> list[str]:
    return [f"evt_{number}" for number in numbers]


@dataclass
class Past(events.History):
    """A history of so many events, which comes in pages; from one event on it cannot be had."""

    length: int = 0
    page_size: int = 10
    away_from: int | None = None

    async def page(self, after: str, caller: Caller) -> EventPage:
        first = int(after.removeprefix("evt_"))
        if first == self.away_from:
            raise Unavailable("away")
        items = [event(number) for number in range(first + 1, min(first + self.page_size, self.length) + 1)]
        return EventPage(items=items, next_cursor=items[-1].id if len(items) == self.page_size else None)


@dataclass
class Broadcast:
    """An application with nothing but the stream, behind a door that lets everybody in."""

    past: Past
    ping_seconds: float = events.PING_SECONDS
    key_holds: bool = True
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def __post_init__(self) -> None:
        self.hub = events.Hub(Metrics(self.registry, ()))
        self._app = FastAPI()
        problems.install(self._app)
        self._app.include_router(events.router(self.hub, self.past, self.ping_seconds))

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        scope[CALLER] = Caller("key_1", frozenset(Scope))
        scope[STILL_HOLDS] = self.still_holds
        await self._app(scope, receive, send)

    async def still_holds(self) -> bool:
        return self.key_holds

    def figure(self, name: str) -> float | None:
        return self.registry.get_sample_value(name)


@asynccontextmanager
async def on_air(folder: Path, broadcast: Broadcast) -> AsyncIterator[httpx.AsyncClient]:
    """Serve it and return a client."""
    socket = folder / "s"
    transport = httpx.AsyncHTTPTransport(uds=str(socket), verify=False)
    async with serving(broadcast, f"unix://{socket}"), httpx.AsyncClient(transport=transport, base_url=URL) as client:
        yield client


async def test_an_idle_stream_has_a_heartbeat(sockets: Path) -> None:
    async with on_air(sockets, Broadcast(Past(), ping_seconds=0.05)) as client, streaming(client) as stream:
        for beat in await stream.take(3):
            assert beat.comment.startswith("ping")


async def test_heartbeats_do_not_disturb_events(sockets: Path) -> None:
    broadcast = Broadcast(Past(), ping_seconds=0.01)
    async with on_air(sockets, broadcast) as client, streaming(client) as stream:
        seen = []
        for number in range(20):
            broadcast.hub.publish(event(number))
            await asyncio.sleep(0.005)
        while len(seen) < 20:
            sent = await stream.next()
            seen += [sent.id] if sent.id else []
    assert seen == ids(range(20))


async def test_a_slow_reader_is_told_and_others_are_not_held_up(sockets: Path) -> None:
    broadcast = Broadcast(Past())
    total = 4 * events.QUEUE_LENGTH
    async with on_air(sockets, broadcast) as client, streaming(client) as slow, streaming(client) as quick:
        for number in range(total):
            broadcast.hub.publish(event(number))
            assert (await quick.next()).id == f"evt_{number}"
        seen = await slow.rest()
        assert seen[-1].event == "lagged"
        assert [sent.id for sent in seen[:-1]] == ids(range(len(seen) - 1))
        assert len(seen) < total
        assert broadcast.figure("shim_event_listeners_lagged_total") == 1
    assert broadcast.figure("shim_event_listeners") == 0


async def test_a_reader_that_leaves_is_forgotten(sockets: Path) -> None:
    broadcast = Broadcast(Past())
    async with on_air(sockets, broadcast) as client:
        async with streaming(client):
            assert broadcast.figure("shim_event_listeners") == 1
        async with asyncio.timeout(PATIENCE):
            while broadcast.figure("shim_event_listeners"):
                await asyncio.sleep(0.005)


async def test_a_long_history_comes_page_by_page_and_then_what_happens(sockets: Path) -> None:
    broadcast = Broadcast(Past(length=35))
    async with on_air(sockets, broadcast) as client, streaming(client, last="evt_0") as stream:
        for number in (34, 35, 36):
            broadcast.hub.publish(event(number))
        assert [sent.id for sent in await stream.take(36)] == ids(range(1, 37))


async def test_what_a_reader_had_before_it_came_back_is_not_told_again(sockets: Path) -> None:
    """It was in the history before it came live."""
    broadcast = Broadcast(Past(length=10))
    async with on_air(sockets, broadcast) as client, streaming(client, last="evt_5") as stream:
        for number in range(3, 12):
            broadcast.hub.publish(event(number))
        assert [sent.id for sent in await stream.take(6)] == ids(range(6, 12))


async def test_a_reader_that_missed_nothing_gets_what_is_new_alone(sockets: Path) -> None:
    broadcast = Broadcast(Past(length=10))
    async with on_air(sockets, broadcast) as client, streaming(client, last="evt_10") as stream:
        for number in (9, 10):
            broadcast.hub.publish(event(number))
        broadcast.past.length = 12
        for number in (11, 12, 13):
            broadcast.hub.publish(event(number))
        assert [sent.id for sent in await stream.take(3)] == ids((11, 12, 13))


async def test_a_history_that_breaks_off_is_not_passed_over(sockets: Path) -> None:
    broadcast = Broadcast(Past(length=35, away_from=20))
    async with on_air(sockets, broadcast) as client, streaming(client, last="evt_0") as stream:
        broadcast.hub.publish(event(36))
        seen = await stream.rest()
    assert [sent.id for sent in seen[:-1]] == ids(range(1, 21))
    assert seen[-1].event == "lagged"


async def test_what_is_no_event_is_passed_over(sockets: Path, redis_url: str) -> None:
    broadcast = Broadcast(Past())
    async with Redis.from_url(redis_url) as redis, on_air(sockets, broadcast) as client, streaming(client) as stream:
        following = asyncio.create_task(broadcast.hub.run(redis, after=0))
        async with asyncio.timeout(PATIENCE):
            while not (await redis.info("clients"))["blocked_clients"]:
                await asyncio.sleep(0.005)
        for fields in ({"event": "{"}, {"event": '{"id": "evt_1"}'}, {"other": "x"}):
            await redis.xadd("shim:events", fields)
        await redis.xadd("shim:events", {"event": event(1).model_dump_json()})
        assert [sent.id for sent in await stream.take(1)] == ids([1])
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def test_05_what_was_missed_is_not_told_to_a_key_that_holds_no_more(sockets: Path) -> None:
    broadcast = Broadcast(Past(length=35), key_holds=False)
    async with on_air(sockets, broadcast) as client, streaming(client, last="evt_0") as stream:
        assert await stream.rest() == []
