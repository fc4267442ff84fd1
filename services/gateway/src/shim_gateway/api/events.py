"""Live events as server-sent events: what was missed from the history, then what happens."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Annotated

import aiohttp
from fastapi import APIRouter, Header, Query, Request
from redis.asyncio import Redis
from sse_starlette import EventSourceResponse, ServerSentEvent

from shim_common.bus.stream import follow
from shim_common.contracts.access import Scope
from shim_common.contracts.envelope import Event, EventPage
from shim_common.kernel.errors import BadInput, Forbidden, Unauthorized, Unavailable, Unprocessable
from shim_common.web.app import service_router
from shim_common.web.problems import documented
from shim_common.web.tokens import HEADER, Caller
from shim_gateway.api.access import StillHolds, caller_of, require, still_holds_of
from shim_gateway.api.passing import Tokens
from shim_gateway.clients import Service
from shim_gateway.metrics import Metrics

QUEUE_LENGTH = 1000
"""Events a slow reader may lag behind before its stream is closed; it resumes with Last-Event-ID."""
PING_SECONDS = 15.0
_RETRY_MILLISECONDS = 1000
_HISTORY_PAGE = 500
_HEADERS = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}


@dataclass(eq=False)
class Listener:
    """One open stream."""

    _queue: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(QUEUE_LENGTH))
    _missed: bool = False

    def give(self, event: Event) -> None:
        """Hand an event over; a reader that is too far behind gets no more."""
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self._missed = True

    async def next(self) -> Event | None:
        """Return the next event; None once something was missed."""
        return None if self._missed else await self._queue.get()


@dataclass
class Hub:
    """Hands every event to every open stream."""

    metrics: Metrics
    _listeners: set[Listener] = field(default_factory=set)

    async def run(self, redis: Redis, after: int) -> None:
        """Follow all events behind a place until cancelled."""
        async for event in follow(redis, after):
            self.publish(event)

    def publish(self, event: Event) -> None:
        """Hand an event on."""
        for listener in self._listeners:
            listener.give(event)

    @contextmanager
    def listening(self) -> Iterator[Listener]:
        """Open a stream."""
        listener = Listener()
        self._listeners.add(listener)
        self.metrics.listeners.inc()
        try:
            yield listener
        finally:
            self._listeners.discard(listener)
            self.metrics.listeners.dec()


@dataclass(frozen=True)
class Reader:
    """Who reads a stream, what they ask for, and the event behind which they go on."""

    caller: Caller
    still_holds: StillHolds
    types: frozenset[str]
    session: str | None
    last: str | None

    def takes(self, event: Event) -> bool:
        """Whether the reader asked for this one."""
        return (not self.types or event.type in self.types) and self.session in (None, event.session_id)


class History:
    """The events of the past, from the service that keeps them."""

    def __init__(self, service: Service, tokens: Tokens) -> None:
        self._service = service
        self._tokens = tokens

    async def page(self, after: str, caller: Caller) -> EventPage:
        """Return what was published after an event, as much as one page holds.

        Raises:
            Unavailable: the service is away.
        """
        query = {"after": after, "limit": str(_HISTORY_PAGE)}
        headers = {HEADER: self._tokens.of(caller)}
        try:
            async with self._service.session.get(
                self._service.url("/v1/events"), params=query, headers=headers
            ) as answer:
                answer.raise_for_status()
                return EventPage.model_validate_json(await answer.read())
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable("the history of events is not to be had now", retry_after=1) from error

    async def following(self, page: EventPage, caller: Caller) -> AsyncIterator[Event]:
        """Yield the events of a page and of all that follow it.

        Raises:
            Unavailable: the service is away.
        """
        while True:
            for event in page.items:
                yield event
            if page.next_cursor is None:
                return
            page = await self.page(page.next_cursor, caller)


def router(hub: Hub, history: History, ping_seconds: float = PING_SECONDS) -> APIRouter:
    """Return the route of live events."""
    routes = service_router("events")
    errors = documented(BadInput, Unauthorized, Forbidden, Unprocessable, Unavailable)

    @routes.get(
        "/v1/events/stream",
        response_class=EventSourceResponse,
        responses={200: {"content": {"text/event-stream": {}}, "description": "Events as they happen."}, **errors},
        dependencies=[require(Scope.READ)],
    )
    async def stream_events(
        request: Request,
        types: Annotated[str | None, Query(max_length=1000, description="Types, with commas.")] = None,
        session: Annotated[str | None, Query(max_length=200)] = None,
        last_event_id: Annotated[str | None, Header(max_length=200)] = None,
    ) -> EventSourceResponse:
        """Stream events; `Last-Event-ID` brings what was missed first."""
        wanted = frozenset(kind for kind in (types or "").split(",") if kind)
        reader = Reader(caller_of(request), still_holds_of(request), wanted, session, last_event_id)
        stream = _stream(hub, history, reader)
        opening = await anext(stream)  # what keeps the history away is answered before a stream begins
        return EventSourceResponse(_with(opening, stream), ping=ping_seconds, headers=_HEADERS)

    return routes


async def _stream(hub: Hub, history: History, reader: Reader) -> AsyncGenerator[ServerSentEvent]:
    with hub.listening() as listener:
        missed = EventPage(items=[]) if reader.last is None else await history.page(reader.last, reader.caller)
        yield ServerSentEvent(comment="open", retry=_RETRY_MILLISECONDS)
        async for event in _events(listener, history, reader, missed):
            if not await reader.still_holds():
                return
            if reader.takes(event):
                yield ServerSentEvent(event=event.type, id=event.id, data=event.model_dump_json())
        hub.metrics.lagged.inc()
        yield ServerSentEvent(event="lagged", data="something was missed; connect again with Last-Event-ID")


async def _events(listener: Listener, history: History, reader: Reader, missed: EventPage) -> AsyncIterator[Event]:
    """Yield what was missed and what happens, each event once, until something cannot be had.

    An event is in the history a little before it comes live. So the first live ones may have been missed and told
    already, or told to this reader before it came back; which of the two, the history knows.
    """
    place, told, in_step = reader.last, set[str](), reader.last is None
    with suppress(Unavailable):
        async for event in history.following(missed, reader.caller):
            place = event.id
            told.add(event.id)
            yield event
        while (live := await listener.next()) is not None:
            if in_step and live.id not in told:
                yield live
                continue
            if place is not None and live.id not in told:
                async for event in history.following(await history.page(place, reader.caller), reader.caller):
                    place = event.id
                    told.add(event.id)
                    yield event
            in_step = in_step or live.id in told


async def _with(first: ServerSentEvent, rest: AsyncGenerator[ServerSentEvent]) -> AsyncIterator[ServerSentEvent]:
    async with aclosing(rest):
        yield first
        async for event in rest:
            yield event
