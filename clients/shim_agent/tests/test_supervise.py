import asyncio

import pytest

from shim_agent.supervise import keep

from .conftest import FAST
from .eventually import eventually


async def test_a_part_that_fails_is_started_again_without_quoting_anybody(capsys: pytest.CaptureFixture[str]) -> None:
    starts = 0

    async def part() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise ValueError("my secret plan")
        if starts == 2:
            raise ExceptionGroup("my secret plan", [KeyError("my secret plan")])

    task = asyncio.create_task(keep("transcripts", part, FAST))
    await eventually(lambda: starts >= 4)
    task.cancel()
    await asyncio.wait([task])
    printed = capsys.readouterr().out
    assert "ValueError" in printed
    assert "KeyError" in printed
    assert "test_supervise" in printed
    assert "secret" not in printed
