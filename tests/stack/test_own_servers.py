"""DATABASE_URL and REDIS_URL of one's own: SHIM uses them, starts none itself, and leaves them running."""

from dataclasses import replace

import pytest
import redis

from shim_common.testing.servers import PostgresServer

from .rig.player import replay
from .rig.recordings import SHIPPED
from .rig.stack import Stack

pytestmark = pytest.mark.stack


def test_ones_own_postgres_and_redis_are_used(
    fresh: Stack, postgres_server: PostgresServer, database_url: str, redis_url: str
) -> None:
    own = replace(fresh, more={"DATABASE_URL": database_url, "REDIS_URL": redis_url})
    said = own.up().output

    assert "Postgres is yours" in said
    assert "Redis is yours" in said
    assert "shim:" not in said  # the password stays out of it
    assert {process.name for process in own.record.processes} == {"services", "gateway", "agent"}
    assert not list(own.home.glob("postgres*")) + list(own.home.glob("valkey"))

    with own.api() as api:
        assert replay(api, SHIPPED).is_equal
        events = [event.type for event in api.events(None)]
    with redis.Redis.from_url(redis_url) as client:
        published = client.xlen("shim:events")
    assert 0 < len(events) <= published

    assert own.shim("down").code == 0
    with redis.Redis.from_url(redis_url) as client:
        assert client.ping()


def test_a_server_that_is_not_there_is_named_and_nothing_is_started(fresh: Stack) -> None:
    away = replace(fresh, more={"REDIS_URL": "redis://:secret@127.0.0.1:9/0"})
    ran = away.shim("up", "--no-demo", "--port", str(away.port))

    said = " ".join(ran.output.split())
    assert ran.code == 1
    assert "REDIS_URL is set to redis://127.0.0.1:9/0, but that cannot be used" in said
    assert "secret" not in said
    assert away.record.processes == ()
