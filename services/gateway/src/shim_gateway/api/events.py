"""Live events as server-sent events: what was missed from the history, then what happens."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated

import aiohttp
from fastapi import APIRouter, Header, Query, Request
from redis.asyncio import Redis
from sse_starlette import EventSourceResponse, ServerSentEvent

from shim_common.bus.stream import follow
from shim_common.contracts.access import Scope
from shim_common.contracts.envelope import Event, EventPage
from shim_common.kernel.errors import BadInput, Forbidden, Unauthorized, Unavailable
from shim_common.web.app import service_router
from shim_common.web.problems import documented
from shim_common.web.tokens import HEADER, Caller
from shim_gateway.api.access import caller_of, require
from shim_gateway.api.passing import Tokens
from shim_gateway.clients import Service
from shim_gateway.metrics import Metrics

QUEUE_LENGTH = 1000
"""Events a slow reader may lag behind before its stream is closed; it resumes with Last-Event-ID."""
PING_SECONDS = 15
_RETRY_MILLISECONDS = 1000
_HISTORY_PAGE = 500


@dataclass(eq=False)
class Listener:
    """One open stream."""

    queue: asyncio.Queue[Event] = field(default_factory=lambda: asyncio.Queue(QUEUE_LENGTH))
    lagged: bool = False


@dataclass
class Hub:
    """Hands every event to every open stream."""

    metrics: Metrics
    _listeners: set[Listener] = field(default_factory=set)

    async def run(self, redis: Redis, schema: str) -> None:
        """Follow a service's events until cancelled."""
        async for event in follow(redis, schema):
            self.publish(event)

    def publish(self, event: Event) -> None:
        """Hand an event on; a reader whose queue is full has lagged."""
        for listener in self._listeners:
            try:
                listener.queue.put_nowait(event)
            except asyncio.QueueFull:
                listener.lagged = True

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
class Wanted:
    """Which events a reader asks for."""

    types: frozenset[str]
    session: str | None

    def takes(self, event: Event) -> bool:
        """Whether the reader wants this one."""
        return (not self.types or event.type in self.types) and self.session in (None, event.session_id)


class History:
    """The events of the past, from the service that keeps them."""

    def __init__(self, service: Service, tokens: Tokens) -> None:
        self._service = service
        self._tokens = tokens

    async def after(self, event_id: str, caller: Caller) -> AsyncIterator[Event]:
        """Yield what was published after an event.

        Raises:
            Unavailable: the service is away.
        """
        place: str | None = event_id
        while place is not None:
            page = await self._page(place, caller)
            for event in page.items:
                yield event
            place = page.next_cursor

    async def _page(self, after: str, caller: Caller) -> EventPage:
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


def router(hub: Hub, history: History) -> APIRouter:
    """Return the route of live events."""
    routes = service_router("events")
    errors = documented(BadInput, Unauthorized, Forbidden, Unavailable)

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
        wanted = Wanted(frozenset(kind for kind in (types or "").split(",") if kind), session)
        stream = _stream(hub, history, wanted, last_event_id, caller_of(request))
        headers = {"cache-control": "no-cache, no-transform", "x-accel-buffering": "no"}
        return EventSourceResponse(stream, ping=PING_SECONDS, headers=headers)

    return routes


async def _stream(
    hub: Hub, history: History, wanted: Wanted, last: str | None, caller: Caller
) -> AsyncIterator[ServerSentEvent]:
    with hub.listening() as listener:
        yield ServerSentEvent(comment="open", retry=_RETRY_MILLISECONDS)
        told: set[str] = set()
        if last is not None:
            async for event in history.after(last, caller):
                told.add(event.id)
                if wanted.takes(event):
                    yield _sent(event)
        while not listener.lagged:
            event = await listener.queue.get()
            if event.id not in told and wanted.takes(event):
                yield _sent(event)
        hub.metrics.lagged.inc()
        yield ServerSentEvent(event="lagged", data="too slow; connect again with Last-Event-ID")


def _sent(event: Event) -> ServerSentEvent:
    return ServerSentEvent(event=event.type, id=event.id, data=event.model_dump_json())
