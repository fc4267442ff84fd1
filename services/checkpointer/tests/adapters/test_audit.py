import hashlib
from datetime import timedelta

import asyncpg
import httpx
import orjson
import pytest

from shim_common.contracts.access import AuditRow
from shim_common.db import audit
from shim_common.db.database import Database

from ..building import START, append, new_entry, open_session, prompt


async def write(database: Database, count: int) -> None:
    for number in range(count):
        async with database.transaction() as connection:
            await audit.append(
                connection,
                actor="key_1",
                action="session.deleted",
                subject=f"ses_{number}",
                at=START + timedelta(microseconds=number),
                before={"b": number, "a": {"z": [1, None], "y": "ü"}} if number % 2 else None,
                after=None,
            )


async def rows(database: Database) -> list[AuditRow]:
    async with database.connection() as connection:
        return list(reversed(await audit.page(connection, None, 1000)))


def verified(found: list[AuditRow]) -> bool:
    """Check the chain by hand, from what a reader is shown."""
    last = b""
    for row in found:
        document = [row.at.isoformat(), row.actor, row.action, row.subject, row.before, row.after]
        last = hashlib.sha256(last + orjson.dumps(document, option=orjson.OPT_SORT_KEYS)).digest()
        if last.hex() != row.hash:
            return False
    return True


async def test_each_row_vouches_for_the_ones_before(database: Database) -> None:
    await write(database, 5)
    found = await rows(database)

    assert [row.subject for row in found] == [f"ses_{number}" for number in range(5)]
    assert verified(found)
    assert not verified(found[1:])
    assert not verified([found[0], found[2], found[1], *found[3:]])
    assert not verified([found[0].model_copy(update={"actor": "somebody else"}), *found[1:]])


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit", "DELETE FROM audit WHERE false"],
)
async def test_rows_are_never_changed(database: Database, statement: str) -> None:
    await write(database, 2)

    with pytest.raises(asyncpg.RaiseError, match="never changed"):
        async with database.transaction() as connection:
            await connection.execute(statement)

    assert verified(await rows(database))


async def test_a_row_goes_with_the_transaction_that_it_tells_of(database: Database) -> None:
    await write(database, 1)
    with pytest.raises(ZeroDivisionError):
        async with database.transaction() as connection:
            await audit.append(
                connection, actor="a", action="b", subject="c", at=START, before=None, after={"done": False}
            )
            raise ZeroDivisionError

    await write(database, 1)
    found = await rows(database)
    assert len(found) == 2
    assert verified(found)


async def test_pages_go_back_in_time(database: Database) -> None:
    await write(database, 5)
    async with database.connection() as connection:
        first = await audit.page(connection, None, 2)
        second = await audit.page(connection, first[-1].position, 2)

    assert [row.subject for row in [*first, *second]] == ["ses_4", "ses_3", "ses_2", "ses_1"]


async def test_deleting_a_session_is_written_down(api: httpx.AsyncClient, database: Database) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", prompt("Add a cart")))

    assert (await api.delete(f"/v1/sessions/{sid}")).status_code == 204

    (row,) = await rows(database)
    assert (row.actor, row.action, row.subject) == ("key_test", "session.deleted", sid)
    assert row.before == {"client": "claude-code", "project": "/home/ana/webshop", "entries": 1}
    assert verified([row])
