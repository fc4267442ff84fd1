import asyncio
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from shim_common.embedded.program import running
from shim_common.embedded.valkey import embedded_valkey

DEVNULL = asyncio.subprocess.DEVNULL


async def test_what_was_written_survives_a_kill(home: Path, run_folder: Path) -> None:
    valkey = embedded_valkey(home / "valkey", run_folder)
    async with running(valkey.program(), DEVNULL) as process, Redis.from_url(valkey.url(3)) as client:
        for number in range(100):
            await client.xadd("events", {"number": number})
        process.send_signal(signal.SIGKILL)
        await process.wait()
    assert valkey.socket.exists()
    async with running(valkey.program(), DEVNULL), Redis.from_url(valkey.url(3)) as client:
        assert await client.xlen("events") == 100


async def test_it_is_private_durable_and_bounded(home: Path, run_folder: Path) -> None:
    valkey = embedded_valkey(home / "valkey", run_folder)
    async with running(valkey.program(), DEVNULL) as process, Redis.from_url(valkey.url()) as client:
        settings = await client.config_get("*")
        assert settings["port"] == "0"
        assert settings["appendonly"] == "yes"
        assert settings["appendfsync"] == "everysec"
        assert settings["save"] == ""
        assert settings["maxmemory-policy"] == "noeviction"
        assert int(settings["maxmemory"]) == 256 * 1024 * 1024
        assert valkey.socket.stat().st_mode & 0o077 == 0
        await client.config_set("maxmemory", 1)
        with pytest.raises(OutOfMemoryError):
            await client.set("one", "too many")
    assert process.returncode == 0
    with pytest.raises(RedisConnectionError):
        await Redis.from_url(valkey.url()).ping()
