"""Policies: a default from the start, and who changed what."""

import asyncio

import httpx

from shim_common.contracts.access import AuditRow
from shim_common.contracts.supervision import Policy
from shim_common.db import audit
from shim_common.db.database import Database

from ..building import is_problem


async def audited(database: Database) -> list[AuditRow]:
    async with database.connection() as connection:
        return list(reversed(await audit.page(connection, None, 100)))


async def listed(api: httpx.AsyncClient) -> list[Policy]:
    return [Policy.model_validate(item) for item in (await api.get("/v1/policies")).json()["items"]]


async def test_the_default_is_there_from_the_start(api: httpx.AsyncClient) -> None:
    assert await listed(api) == [Policy()]


async def test_setting_and_removing(api: httpx.AsyncClient, database: Database) -> None:
    calm = {"mode": "always", "intensity": 2, "adopted": True, "tools": "keep"}

    answer = await api.put("/v1/policies/calm", json=calm)
    await api.put("/v1/policies/calm", json={**calm, "name": "calm"})
    await api.put("/v1/policies/default", json={"mode": "never"})

    expected = [Policy(mode="never"), Policy(name="calm", **calm)]
    assert (answer.status_code, Policy.model_validate(answer.json())) == (200, expected[1])
    assert await listed(api) == expected
    assert (await api.delete("/v1/policies/calm")).status_code == 204
    assert await listed(api) == expected[:1]
    assert is_problem(await api.delete("/v1/policies/calm"), 404, "policy_not_found")
    rows = await audited(database)
    assert [(row.actor, row.action, row.subject) for row in rows] == [
        ("key_test", "policy.set", "calm"),  # what changes nothing is not written down
        ("key_test", "policy.set", "default"),
        ("key_test", "policy.deleted", "calm"),
    ]
    assert (rows[0].before, rows[2].after) == (None, None)
    assert rows[0].after == rows[2].before == expected[1].model_dump(mode="json")


async def test_changes_at_the_same_time_are_written_down_one_after_the_other(
    api: httpx.AsyncClient, database: Database
) -> None:
    await asyncio.gather(*(api.put("/v1/policies/calm", json={"intensity": number}) for number in range(1, 9)))

    rows = await audited(database)
    assert len(rows) == 8
    assert [row.before for row in rows] == [None, *(row.after for row in rows[:-1])]
    assert (await listed(api))[1].model_dump(mode="json") == rows[-1].after


async def test_the_default_stays(api: httpx.AsyncClient, database: Database) -> None:
    assert is_problem(await api.delete("/v1/policies/default"), 409, "default_policy")
    assert await listed(api) == [Policy()]
    assert await audited(database) == []
