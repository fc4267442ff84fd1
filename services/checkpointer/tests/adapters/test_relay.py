"""Events on their way from the table to the stream, on real stores."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from shim_common.bus.stream import follow
from shim_common.contracts.envelope import Event
from shim_common.db import outbox
from shim_common.db.database import Database
from shim_common.db.outbox import STREAM, STREAM_LENGTH, Relay
from shim_common.kernel.retry import Backoff

from ..building import at


def event(number: int) -> Event:
    return Event(
        id=f"evt_{number:04}",
        type="checkpoint.created",
        occurred_at=at(number),
        source="checkpointer",
        subject=f"ckp_{number}",
        actor="key_test",
        session_id="ses_1",
        data={"number": number, "text": "ü\n\"'"},
    )


async def write(database: Database, *numbers: int) -> None:
    async with database.transaction() as connection:
        await outbox.append(connection, [event(number) for number in numbers])


async def publish_all(relay: Relay) -> None:
    while await relay.publish_once():
        continue


async def streamed(redis: Redis) -> list[tuple[int, str]]:
    """Entry ids and event ids on the stream."""
    return [
        (int(entry_id.split(b"-")[0]), Event.model_validate_json(fields[b"event"]).id)
        for entry_id, fields in await redis.xrange(STREAM)
    ]


def names(*numbers: int) -> list[str]:
    return [event(number).id for number in numbers]


async def test_events_arrive_whole_and_in_order(database: Database, redis: Redis) -> None:
    await write(database, 1, 2)
    await write(database, 3)

    await publish_all(Relay(database, redis))

    assert [name for _, name in await streamed(redis)] == names(1, 2, 3)
    (_, fields), *_ = await redis.xrange(STREAM)
    assert Event.model_validate_json(fields[b"event"]) == event(1)
    async with database.connection() as connection:
        assert await outbox.history(connection, after=None, limit=9, types=[], session=None) == [
            event(n) for n in (1, 2, 3)
        ]


async def test_nothing_is_published_that_was_rolled_back(database: Database, redis: Redis) -> None:
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await outbox.append(connection, [event(1)])
            raise ZeroDivisionError
    await write(database, 2)

    await publish_all(Relay(database, redis))

    assert [name for _, name in await streamed(redis)] == names(2)


async def test_an_event_committed_late_is_not_passed_over(database: Database, redis: Redis) -> None:
    relay = Relay(database, redis)
    async with database.transaction() as slow:
        await outbox.append(slow, [event(1)])
        await write(database, 2)
        await publish_all(relay)
        assert [name for _, name in await streamed(redis)] == names(2)

    await publish_all(relay)

    assert [name for _, name in await streamed(redis)] == names(2, 1)


async def test_an_emptied_redis_is_filled_again_with_the_same_ids(database: Database, redis: Redis) -> None:
    relay = Relay(database, redis)
    await write(database, *range(1200))
    await publish_all(relay)
    before = await streamed(redis)

    await redis.flushall()
    await write(database, 1200)
    await publish_all(relay)

    assert await streamed(redis) == [*before, (before[-1][0] + 1, event(1200).id)]


class Interrupting(Redis):
    """Redis that loses everything at chosen moments: just before one of the relay's requests reaches it."""

    countdown = 10**9

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        self.countdown -= 1
        if self.countdown == 0:
            await super().execute_command("FLUSHALL")
        return await super().execute_command(*args, **options)


@pytest.mark.parametrize("requests_before", range(1, 9))
async def test_redis_emptied_between_any_two_requests(
    database: Database, redis: Redis, redis_url: str, requests_before: int
) -> None:
    await write(database, *range(20))
    async with Interrupting.from_url(redis_url) as interrupting:
        relay = Relay(database, interrupting)
        await publish_all(relay)
        interrupting.countdown = requests_before
        await write(database, *range(20, 25))
        await publish_all(relay)
        await write(database, 25)
        await publish_all(relay)

    assert [name for _, name in await streamed(redis)] == names(*range(26))


async def test_two_relays_at_once_publish_each_event_once(database: Database, redis: Redis, redis_url: str) -> None:
    async with Redis.from_url(redis_url) as other:
        relays = [asyncio.create_task(Relay(database, one).run()) for one in (redis, other)]
        for number in range(0, 300, 3):
            await write(database, number, number + 1, number + 2)
        async with asyncio.timeout(20):
            while len(await streamed(redis)) < 300:
                await asyncio.sleep(0.02)
        for task in relays:
            task.cancel()
        await asyncio.gather(*relays, return_exceptions=True)

    found = await streamed(redis)
    assert [name for _, name in found] == names(*range(300))
    assert len({number for number, _ in found}) == 300


async def test_history_goes_on_while_redis_is_away(database: Database) -> None:
    await write(database, 1)
    async with Redis.from_url("unix:///nowhere/valkey.sock") as away:
        with pytest.raises(RedisConnectionError):
            await Relay(database, away).publish_once()

    async with database.connection() as connection:
        assert await outbox.history(connection, after=None, limit=9, types=[], session=None) == [event(1)]


async def test_a_stream_ahead_of_the_table_is_of_other_data(database: Database, redis: Redis) -> None:
    await redis.xadd(STREAM, {"event": event(0).model_dump_json()}, id="5000-0")
    await write(database, 1, 2)

    await publish_all(Relay(database, redis))

    assert [name for _, name in await streamed(redis)] == names(1, 2)


async def test_the_stream_is_bounded_and_history_is_not(database: Database, redis: Redis) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            """INSERT INTO bus.outbox (id, type, version, occurred_at, source, subject, actor, data)
               SELECT 'evt_' || n, 'x.happened', 1, now(), 's', 's', 'a', '{}'
               FROM generate_series(0, $1::int - 1) AS n""",
            STREAM_LENGTH + 1000,
        )

    await publish_all(Relay(database, redis))

    assert STREAM_LENGTH <= await redis.xlen(STREAM) <= STREAM_LENGTH + 200  # Redis drops whole nodes of 100
    async with database.connection() as connection:
        (oldest,) = await outbox.history(connection, after=None, limit=1, types=[], session=None)
    assert oldest.id == "evt_0"


async def test_history_by_type_session_and_place(database: Database, redis: Redis) -> None:
    others = [
        event(2).model_copy(update={"type": "signal.raised"}),
        event(3).model_copy(update={"session_id": "ses_2"}),
    ]
    async with database.transaction() as connection:
        await outbox.append(connection, [event(1), *others, event(4)])
    await publish_all(Relay(database, redis))

    async def found(**asked: Any) -> list[str]:
        wanted = {"after": None, "limit": 9, "types": [], "session": None, **asked}
        async with database.connection() as connection:
            return [one.id for one in await outbox.history(connection, **wanted)]

    assert await found(after="evt_0002") == names(3, 4)
    assert await found(limit=2) == names(1, 2)
    assert await found(types=["signal.raised"]) == names(2)
    assert await found(session="ses_2") == names(3)
    assert await found(after="evt_unknown") == names(1, 2, 3, 4)


async def test_old_events_are_forgotten_once_published(database: Database, redis: Redis) -> None:
    await write(database, 1, 2)
    await publish_all(Relay(database, redis))
    await write(database, 0)

    async with database.transaction() as connection:
        assert await outbox.forget_before(connection, at(2)) == 1

    await redis.flushall()
    await publish_all(Relay(database, redis))
    assert [name for _, name in await streamed(redis)] == names(2, 0)


async def test_a_follower_hears_everything_once_although_redis_is_emptied(database: Database, redis: Redis) -> None:
    relay, heard = Relay(database, redis), asyncio.Queue[Event]()

    async def listen() -> None:
        async for one in follow(redis, backoff=Backoff(base=0.01)):
            await heard.put(one)

    await write(database, 1)
    await publish_all(relay)
    listening = asyncio.create_task(listen())
    await write(database, 2)
    async with asyncio.timeout(20):
        while not (clients := [c for c in await redis.client_list() if c["cmd"] == "xread"]):
            await asyncio.sleep(0.01)
        await publish_all(relay)
        assert (await heard.get()).id == event(2).id
        await redis.flushall()
        await write(database, 3)
        await publish_all(relay)
        assert (await heard.get()).id == event(3).id
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    assert clients
    assert heard.empty()


async def test_a_ring_wakes_the_relay_at_once(database: Database, redis: Redis) -> None:
    relay = Relay(database, redis)
    running = asyncio.create_task(relay.run())
    try:
        async with asyncio.timeout(7):  # by itself it looks once a second
            for number in range(10):
                await write(database, number)
                relay.ring()
                while len(await streamed(redis)) <= number:
                    await asyncio.sleep(0.005)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
