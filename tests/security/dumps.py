"""Everything that the stores of a stack hold, readable."""

import lzma
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import zstandard
from redis.asyncio import Redis

_ZSTD = b"\x28\xb5\x2f\xfd"
_XZ = b"\xfd7zXZ\x00"


async def postgres_dump(url: str) -> dict[str, bytes]:
    """Return the content of every table outside Postgres's own schemas, by its name; compressed columns unpacked."""
    connection = await asyncpg.connect(url)
    try:
        names = await connection.fetch(
            "SELECT schemaname || '.' || tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        return {
            name: b"\n".join(
                _readable(value) for row in await connection.fetch(f"SELECT * FROM {name}") for value in row.values()
            )
            for (name,) in names
        }
    finally:
        await connection.close()


async def redis_dump(url: str) -> bytes:
    """Return every key and value."""
    async with Redis.from_url(url) as redis:
        keys = [key async for key in redis.scan_iter()]
        return b"\n".join([*keys, *[repr(await _value(redis, key)).encode() for key in keys]])


def files_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Yield every file and what is in it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path, path.read_bytes()


async def _value(redis: Redis, key: bytes) -> object:
    kind = await redis.type(key)
    reading = {
        b"string": lambda: redis.get(key),
        b"stream": lambda: redis.xrange(key),
        b"hash": lambda: redis.hgetall(key),
        b"list": lambda: redis.lrange(key, 0, -1),
        b"set": lambda: redis.smembers(key),
        b"zset": lambda: redis.zrange(key, 0, -1, withscores=True),
    }
    return await reading[kind]() if kind in reading else None  # it ran out just now


def _readable(value: object) -> bytes:
    if not isinstance(value, bytes):
        return str(value).encode()
    if value.startswith(_ZSTD):
        return zstandard.ZstdDecompressor().decompress(value, max_output_size=2**26)
    return lzma.decompress(value) if value.startswith(_XZ) else value
