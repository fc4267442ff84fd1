"""Checks of the stores that the user runs: that they answer and are new enough, before anything is started."""

from urllib.parse import urlsplit

from shim_stack.errors import BadConfiguration

OLDEST_POSTGRES = 15
OLDEST_REDIS = (6, 2)  # XAUTOCLAIM
CONNECT_SECONDS = 5.0


async def check_database(url: str) -> str:
    """Connect to the Postgres at `url` and return its version. Raises BadConfiguration."""
    import asyncpg

    try:
        connection = await asyncpg.connect(url, timeout=CONNECT_SECONDS)
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise BadConfiguration(_unreachable("DATABASE_URL", url, error)) from error
    try:
        version = connection.get_server_version()
        writable = await connection.fetchval("SELECT has_database_privilege(current_database(), 'CREATE')")
    finally:
        await connection.close()
    if version.major < OLDEST_POSTGRES:
        message = f"DATABASE_URL is Postgres {version.major}; SHIM needs {OLDEST_POSTGRES} or newer."
        raise BadConfiguration(message)
    if not writable:
        message = "DATABASE_URL's user may not create schemas in its database. GRANT CREATE ON DATABASE to it."
        raise BadConfiguration(message)
    return f"{version.major}.{version.minor}"


async def check_redis(url: str) -> str:
    """Ask the Redis or Valkey at `url` for its version and return it. Raises BadConfiguration."""
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    try:
        async with Redis.from_url(
            url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=CONNECT_SECONDS
        ) as client:
            version = str((await client.info("server"))["redis_version"])
    except (OSError, ValueError, RedisError) as error:
        raise BadConfiguration(_unreachable("REDIS_URL", url, error)) from error
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        message = f"REDIS_URL is Redis {version}; SHIM needs {'.'.join(map(str, OLDEST_REDIS))} or newer, or Valkey."
        raise BadConfiguration(message)
    return version


def without_password(url: str) -> str:
    """`url` for people: host, port and path only."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def _unreachable(variable: str, url: str, error: Exception) -> str:
    reason = str(error) or type(error).__name__
    return (
        f"{variable} is set to {without_password(url)}, but that cannot be used: {reason}. "
        f"Correct it, or unset it to let SHIM run its own."
    )
