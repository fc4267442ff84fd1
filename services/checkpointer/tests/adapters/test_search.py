"""The search index in Postgres, against a search that reads everything."""

import itertools
import random
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.api import Services
from shim_checkpointer.domain.passages import Passage
from shim_checkpointer.domain.query import SearchQuery, parse, words_of
from shim_checkpointer.ports import Found, PassageFilter, Place
from shim_checkpointer.storage import PostgresStore
from shim_checkpointer.storage.passages import PostgresPassages
from shim_common.contracts.search import PassageKind
from shim_common.db.database import Database
from shim_common.kernel.errors import Unprocessable

from ..building import CLIENT_SESSION, append, at, calls, everything, new_entry, open_session, prompt, reply, result

NOBODY = PassageFilter()
WORDS = ["cart", "carts", "discount", "cents", "12e5", "0x1f", "730c66", "größe", "py", "v2", "a"]
GLUE = [" ", "_", "/", ".", "-", "\n", ": ", "('", "=", " — ", "…", "@", "&amp;", "<b>", "://", "'", '"', "\\"]
texts = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(GLUE)), min_size=1, max_size=8).map(
    lambda parts: "".join(itertools.chain.from_iterable(parts))
)
terms = st.tuples(st.sampled_from(["", "", "-"]), st.booleans(), texts).map(
    lambda one: f'{one[0]}"{one[2].replace(chr(34), " ")}"' if one[1] else f"{one[0]}{one[2].split()[0]}"
)


def matches(query: SearchQuery, text: str) -> bool:
    """Whether a text is found, by looking at every word of it."""
    words = words_of(text)

    def stands(term_words: tuple[str, ...], is_open: bool) -> bool:
        for start in range(len(words) - len(term_words) + 1):
            *first, last = words[start : start + len(term_words)]
            fits_last = last.startswith(term_words[-1]) if is_open else last == term_words[-1]
            if tuple(first) == term_words[:-1] and fits_last:
                return True
        return False

    wanted = all(stands(term.words, term.is_open) for term in query.wanted)
    return wanted and not any(stands(term.words, term.is_open) for term in query.unwanted)


async def find(store: PostgresStore, words: str, wanted: PassageFilter = NOBODY, limit: int = 100) -> list[Found]:
    async with store.look() as unit:
        return await unit.passages.find(parse(words), wanted, None, limit)


def spoken(position: int, text: str) -> Passage:
    return Passage(position, at(position), PassageKind.PROMPT, text)


@given(st.lists(texts, min_size=1, max_size=6), st.lists(terms, min_size=1, max_size=3))
async def test_it_finds_what_reading_everything_finds(
    api: httpx.AsyncClient, store: PostgresStore, database: Database, contents: list[str], asked: list[str]
) -> None:
    await open_session(api)
    async with store.begin() as unit:
        session = await unit.sessions.find(CLIENT_SESSION)
        assert session is not None
        await unit.passages.add(session.no, [spoken(number, text) for number, text in enumerate(contents)])
    try:
        query = parse(" ".join(asked))
        found = await find(store, " ".join(asked))
        expected = {number for number, text in enumerate(contents) if matches(query, text)}
        assert {one.passage.position for one in found} == expected
    except Unprocessable:
        pass
    finally:
        async with database.connection() as connection:
            await connection.execute("TRUNCATE passage")


async def test_pages_hold_every_find_once_best_first(api: httpx.AsyncClient, store: PostgresStore) -> None:
    await open_session(api)
    draw = random.Random(4)
    async with store.begin() as unit:
        session = await unit.sessions.find(CLIENT_SESSION)
        assert session is not None
        contents = [" ".join(draw.choices(["cart", "price", "tax"], k=draw.randint(1, 9))) for _ in range(60)]
        await unit.passages.add(session.no, [spoken(number, text) for number, text in enumerate(contents)])
    places: list[Place] = []
    while True:
        async with store.look() as unit:
            page = await unit.passages.find(parse("cart"), NOBODY, places[-1] if places else None, 7)
        places += [one.place for one in page]
        if len(page) < 7:
            break

    ordered = [(place.rank, place.at, place.session_no, place.position) for place in places]
    assert ordered == sorted(ordered, reverse=True)
    assert {place.position for place in places} == {n for n, text in enumerate(contents) if "cart" in text}
    assert len(places) == len(set(ordered))


async def test_the_index_is_used_and_can_be_tidied(
    api: httpx.AsyncClient, services: Services, database: Database
) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Fix the cart")))
    assert await services.indexing.catch_up() == []
    async with database.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT * FROM passage p WHERE array_to_tsvector(string_to_array(p.words, ' ')) @@ 'cart:*'"
        )
        size = await connection.fetchval("SELECT gin_clean_pending_list('passage_words')")

    assert any("passage_words" in row[0] for row in plan)
    assert size == 0  # the catching up has done it


async def test_an_append_makes_at_most_one_statement_more(api: httpx.AsyncClient, database: Database) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", reply(calls("Bash", command="pytest"))), new_entry("m2", result("fine")))
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM passage") == 1
    statements: list[str] = []
    async with database.transaction() as connection:
        index = PostgresPassages(connection)
        await index.add(1, [spoken(9, "cart")])  # the driver asks for types once a connection
        with connection.query_logger(lambda record: statements.append(record.query)):
            await index.add(1, [])
            assert statements == []
            await index.add(1, [spoken(number, "cart") for number in range(10, 400)])
    assert len(statements) == 1


async def test_a_deleted_session_is_not_found(api: httpx.AsyncClient, store: PostgresStore, database: Database) -> None:
    gone, stays = await open_session(api, "gone"), await open_session(api, "stays")
    for sid in (gone, stays):
        await append(api, sid, new_entry("m1", prompt("Fix the cart")))
    async with database.connection() as connection:
        await connection.execute("INSERT INTO unindexed SELECT no, 1 FROM session WHERE id = $1", gone)

    assert (await api.delete(f"/v1/sessions/{gone}")).status_code == 204

    assert [one.session_id for one in await find(store, "cart")] == [stays]
    async with database.connection() as connection:
        assert await connection.fetchval("SELECT count(*) FROM unindexed") == 0
        assert await connection.fetchval("SELECT count(*) FROM passage") == 1


async def forget_index(database: Database) -> None:
    """Be as a database that was just migrated."""
    async with database.connection() as connection:
        await connection.execute("TRUNCATE passage")
        await connection.execute("INSERT INTO unindexed SELECT session_no, position FROM progress WHERE position > 0")


async def passages(database: Database) -> list[tuple[object, ...]]:
    async with database.connection() as connection:
        return [tuple(row) for row in await connection.fetch("SELECT * FROM passage ORDER BY session_no, position")]


async def test_older_sessions_are_indexed_as_if_they_had_been_appended_now(
    api: httpx.AsyncClient, services: Services, database: Database
) -> None:
    for client_id in ("one", "two", "three"):
        sid = await open_session(api, client_id)
        for first in range(0, 600, 300):
            entries = [new_entry(f"m{n}", prompt(f"Prompt {n} of {client_id}")) for n in range(first, first + 298)]
            call, failed = (
                reply(calls("Bash", call=f"t{first}", command="make")),
                result("no", f"t{first}", failed=True),
            )
            await append(api, sid, *entries, new_entry(f"c{first}", call), new_entry(f"r{first}", failed))
        if client_id == "two":
            await services.upkeeping.seal(sid, whole=True)
    before = await passages(database)
    await forget_index(database)
    await append(api, sid, new_entry("later", prompt("Later than the migration")))

    assert await services.indexing.catch_up() == []

    after = await passages(database)
    assert len(before) == 1800
    assert [row for row in after if row[7] != "later than the migration"] == before
    assert len(after) == 1801
    assert await services.indexing.catch_up() == []
    assert await passages(database) == after


async def test_a_damaged_log_keeps_no_other_from_being_indexed(
    api: httpx.AsyncClient, services: Services, store: PostgresStore, database: Database
) -> None:
    whole, damaged = await open_session(api, "whole"), await open_session(api, "damaged")
    for sid in (whole, damaged):
        await append(api, sid, new_entry("m1", prompt("Fix the cart")))
    await forget_index(database)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE entry SET body = 'x' WHERE session_no = (SELECT no FROM session WHERE id = $1)", damaged
        )

    (hindrance,) = await services.indexing.catch_up()

    assert hindrance.startswith(damaged)
    assert [one.session_id for one in await find(store, "cart")] == [whole]


async def test_what_is_claimed_once_is_indexed_once(
    api: httpx.AsyncClient, store: PostgresStore, database: Database
) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Fix the cart")))
    await forget_index(database)
    async with store.look() as unit:
        due = await unit.passages.unindexed()
    assert due is not None
    claims = []
    for _ in range(2):
        async with store.begin() as unit:
            claims.append(await unit.passages.claim(due))

    assert claims == [True, False]
    assert len(await everything(api, sid)) == 1


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (PassageFilter(failed=True), [4]),
        (PassageFilter(failed=False), [1, 2]),
        (PassageFilter(tool="Bash"), [2, 4]),
        (PassageFilter(tool="Bas"), []),
        (PassageFilter(project="/home/ana/webshop"), [1, 2, 4]),
        (PassageFilter(project="/home/ana"), []),
        (PassageFilter(client="codex"), []),
        (PassageFilter(model="OPUS"), [1, 2, 4]),
        (PassageFilter(model="haiku"), []),
        (PassageFilter(since=at(2)), [2, 4]),
        (PassageFilter(until=at(2)), [1]),
        (PassageFilter(since=at(2), until=at(2)), []),
        (PassageFilter(since=datetime(1, 1, 1, tzinfo=UTC), tool="Bash", failed=True, client="claude-code"), [4]),
    ],
    ids=str,
)
async def test_filters(
    app: FastAPI, api: httpx.AsyncClient, store: PostgresStore, wanted: PassageFilter, expected: list[int]
) -> None:
    sid = await open_session(api)
    await append(
        api,
        sid,
        new_entry("m1", prompt("Test the cart"), seconds=1),
        new_entry("m2", reply(calls("Bash", command="pytest cart"), model="claude-opus-9"), seconds=2),
        new_entry("m3", result("cart", call="toolu_9"), seconds=3),
        new_entry("m4", result("1 failed", failed=True), seconds=4),
    )

    found = await find(store, "cart", wanted)

    assert sorted(one.passage.position for one in found) == expected
