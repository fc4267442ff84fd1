"""Work in the background goes on, whatever happens to it."""

import asyncio

import pytest

from shim_common.background import keep
from shim_common.kernel.retry import Backoff

AT_ONCE = Backoff(base=0, cap=0)


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("trouble", [None, ValueError("nobody foresaw this"), OSError("gone")])
async def test_work_that_ends_or_fails_is_begun_again(trouble: Exception | None) -> None:
    begun = asyncio.Semaphore(0)

    async def work() -> None:
        begun.release()
        if trouble is not None:
            raise trouble

    keeping = asyncio.create_task(keep("test", work, AT_ONCE))
    async with asyncio.timeout(10):
        for _ in range(5):
            await begun.acquire()
    await cancelled(keeping)


async def test_an_error_that_comes_of_being_cancelled_ends_it() -> None:
    begun = asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("it could not be closed")

    keeping = asyncio.create_task(keep("test", work, AT_ONCE))
    await begun.wait()

    await cancelled(keeping)

    assert keeping.done()
