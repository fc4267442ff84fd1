"""Does the same to many things, a few at a time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

_T = TypeVar("_T")


async def in_parallel(things: Iterable[_T], call: Callable[[_T], Awaitable[None]], at_once: int) -> None:
    """Call for each thing, at most `at_once` at a time; the first error ends it all and is raised."""
    waiting = iter(things)

    async def work() -> None:
        for thing in waiting:
            await call(thing)

    try:
        async with asyncio.TaskGroup() as workers:
            for _ in range(at_once):
                workers.create_task(work())
    except ExceptionGroup as group:
        raise group.exceptions[0] from group
