"""The log that everything waits on."""

import asyncio

import pytest
from harness.log import Ended, Log


async def test_returns_what_is_there_and_what_comes() -> None:
    log: Log[int] = Log("numbers")
    log.append(1)
    assert await log.first() == 1
    waiting = asyncio.create_task(log.nth(2, lambda n: n > 1))
    for n in (2, 1, 3):
        log.append(n)
    assert await waiting == 3


async def test_says_what_came_instead() -> None:
    log: Log[str] = Log("words", patience=0.01)
    log.append("apple")
    with pytest.raises(TimeoutError, match=r"words.*apple"):
        await log.first(lambda word: word == "pear")


async def test_a_closed_log_keeps_nobody_waiting() -> None:
    log: Log[str] = Log("words")
    waiting = asyncio.create_task(log.first())
    await asyncio.sleep(0)
    log.close()
    with pytest.raises(Ended, match="words"):
        await waiting
