"""Sessions in Postgres, with others at work on the same ones."""

import asyncio

import pytest

from shim_checkpointer.domain.digest import fold
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.storage import PostgresStore
from shim_common.contracts.sessions import ProcessRef, SessionState, ToolProcess
from shim_common.db.database import Database
from shim_common.kernel.errors import Unavailable

from ..building import CLIENT_SESSION, PROJECT, START, at, calls, log_of, prompt, reply


def session(name: str = "1", client_id: str = CLIENT_SESSION, client: str = "claude-code") -> Kept:
    return Kept(
        id=f"ses_{name}",
        chain_id="chn_1",
        client=client,
        client_session_id=client_id,
        project=PROJECT,
        started_at=START,
        last_seen_at=START,
    )


async def stored(store: PostgresStore, *sessions: Kept) -> None:
    for one in sessions:
        async with store.begin() as unit:
            assert await unit.sessions.create(one)


async def found(store: PostgresStore, sid: str) -> Kept:
    async with store.begin() as unit:
        kept = await unit.sessions.find(sid)
    assert kept is not None
    return kept


async def waiting_for_locks(database: Database) -> int:
    async with database.connection() as connection:
        return int(await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def test_everything_of_a_session_comes_back(store: PostgresStore) -> None:
    kept = session()
    await stored(store, kept)
    kept.finish(SessionState.INTERRUPTED, at(60), "process_exit")
    kept.model, kept.client_version, kept.turn_open, kept.prompt_id = "m-1", "2.1.329", True, "p-1"
    kept.position, kept.sealed, kept.tail_bytes, kept.head = 7, 3, 900, b"h" * 32
    kept.checkpoints, kept.checkpointed_calls, kept.fresh_bytes, kept.transcript_bytes = 2, 5, 50, 2**40
    kept.process, kept.hooked_at = ProcessRef(pid=77, created=1763640000.25), at(59)
    kept.digest = fold(log_of(prompt("Add a cart"), reply(calls("Bash", command="make"))))
    kept.risk, kept.bundle, kept.raised = {"state": {"level": 1}}, "SHIM kept this session", ["risk"]
    kept.processes = [ToolProcess(pid=78, created=1763640001.5, command="make")]

    async with store.begin() as unit:
        await unit.sessions.save(kept)

    assert await found(store, "ses_1") == kept
    assert await found(store, CLIENT_SESSION) == kept


async def test_a_client_whose_ids_begin_like_ours(store: PostgresStore) -> None:
    await stored(store, session("1", "ses_7f3a"), session("2", "ses_1"))

    assert (await found(store, "ses_7f3a")).id == "ses_1"
    assert (await found(store, "ses_1")).id == "ses_1"  # ours come first
    assert (await found(store, "ses_2")).client_session_id == "ses_1"


async def test_two_clients_may_use_one_id(store: PostgresStore) -> None:
    await stored(store, session("1"), session("2", client="desktop"))

    async with store.begin() as unit:
        ours = await unit.sessions.of_client("claude-code", CLIENT_SESSION)
        theirs = await unit.sessions.of_client("desktop", CLIENT_SESSION)
        assert await unit.sessions.of_client("another", CLIENT_SESSION) is None
        assert not await unit.sessions.create(session("3"))

    assert (ours and ours.id, theirs and theirs.id) == ("ses_1", "ses_2")


async def test_who_waited_for_a_session_sees_all_that_was_changed(store: PostgresStore, database: Database) -> None:
    await stored(store, session())

    async def append() -> Kept:
        async with store.begin() as unit:
            kept = await unit.sessions.find("ses_1", lock=True)
            assert kept is not None
            kept.position += 1
            await unit.sessions.save(kept)
            return kept

    async with store.begin() as unit:
        dying = await unit.sessions.find("ses_1", lock=True)
        assert dying is not None
        appending = asyncio.create_task(append())
        async with asyncio.timeout(20):
            while not await waiting_for_locks(database):
                await asyncio.sleep(0.01)
        dying.finish(SessionState.INTERRUPTED, at(9), "process_exit")
        dying.position = 5
        await unit.sessions.save(dying)

    assert (await appending).state is SessionState.INTERRUPTED
    kept = await found(store, "ses_1")
    assert (kept.state, kept.end_reason, kept.position) == (SessionState.INTERRUPTED, "process_exit", 6)


async def test_a_reader_sees_one_moment(store: PostgresStore) -> None:
    kept = session()
    await stored(store, kept)
    async with store.begin() as unit:
        await unit.log.add(kept, [(bytes([n] * 16), b"x") for n in range(3)])

    async with store.look() as reading:
        before = await reading.sessions.find("ses_1")
        async with store.begin() as unit:
            await unit.log.seal(kept, b"a block", 3)
        assert before is not None
        assert await reading.log.stored(before, [bytes([0] * 16)], None) == ({bytes([0] * 16)}, 0)

    async with store.look() as reading:
        assert await reading.log.stored(kept, [bytes([0] * 16)], None) == (set(), 0)


async def test_the_process_of_a_cleared_session_is_found(store: PostgresStore) -> None:
    running, cleared, closed, other = session("1", "a"), session("2", "b"), session("3", "c"), session("4", "d")
    await stored(store, running, cleared, closed, other)
    for kept, pid, seen in ((running, 7, 1), (cleared, 7, 2), (closed, 7, 3), (other, 8, 4)):
        kept.process, kept.last_seen_at = ProcessRef(pid=pid, created=1.0), at(seen)
    cleared.finish(SessionState.ENDED, at(2), "clear")
    closed.finish(SessionState.ENDED, at(3), "other")
    async with store.begin() as unit:
        for kept in (running, cleared, closed, other):
            await unit.sessions.save(kept)
        newest = await unit.sessions.of_process("claude-code", 7, "new")
        but_one = await unit.sessions.of_process("claude-code", 7, "b")
        assert await unit.sessions.of_process("claude-code", 9, "new") is None

    assert (newest and newest.id, but_one and but_one.id) == ("ses_2", "ses_1")


async def test_lookups_use_indexes(store: PostgresStore, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(
            """INSERT INTO session (id, chain_id, client, client_session_id, project, state, started_at)
               SELECT 'ses_' || n, 'c', 'x', 'client-' || n, '/p/' || n, 'ended', now()
               FROM generate_series(1, 20000) n;
               INSERT INTO progress SELECT no, now(), false, null, 0, 0, 0, '', 0, 0, 0, 0, null, null, null, '', null,
                 null, null, '{}' FROM session;
               ANALYZE session; ANALYZE progress"""
        )
        for condition in (
            "s.id = 'ses_5' OR s.client_session_id = 'ses_5'",
            "s.client_session_id = 'client-5' AND s.client = 'x'",
            "s.project = '/p/5'",
        ):
            plan = await connection.fetch(
                f"EXPLAIN SELECT * FROM session s JOIN progress p ON p.session_no = s.no WHERE {condition}"
            )
            assert "Seq Scan" not in "\n".join(row[0] for row in plan)


async def test_a_database_that_is_away_is_said_to_be(database_url: str) -> None:
    closed = Database(database_url, "checkpointer")

    with pytest.raises(Unavailable) as away:
        async with PostgresStore(closed, lambda _events: None).begin():
            pass
    assert away.value.retry_after == 1
    assert not await closed.is_ready()
