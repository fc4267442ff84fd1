"""A reader of server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

from .harness import PATIENCE


@dataclass(frozen=True)
class Sent:
    """One event as it came; a comment stands alone."""

    event: str = ""
    id: str = ""
    data: str = ""
    comment: str = ""


class Stream:
    """An open stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()

    async def next(self) -> Sent:
        """Return the next event or comment.

        Raises:
            StopAsyncIteration: the stream has ended.
            TimeoutError: nothing came.
        """
        fields: dict[str, str] = {}
        async with asyncio.timeout(PATIENCE):
            while line := await anext(self._lines):
                name, _, value = line.partition(":")
                fields[name or "comment"] = value.strip()
        fields.pop("retry", None)
        return Sent(**fields)

    async def take(self, number: int) -> list[Sent]:
        """Return the next events."""
        return [await self.next() for _ in range(number)]

    async def rest(self) -> list[Sent]:
        """Return the events until the stream ends."""
        found = []
        while True:
            try:
                found.append(await self.next())
            except StopAsyncIteration:
                return found


@asynccontextmanager
async def streaming(client: httpx.AsyncClient, last: str | None = None, **query: str) -> AsyncIterator[Stream]:
    """Open a stream; whatever happens from now on comes through it."""
    headers = {} if last is None else {"last-event-id": last}
    async with client.stream("GET", "/v1/events/stream", params=query, headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        stream = Stream(answer)
        assert (await stream.next()).comment == "open"
        yield stream
