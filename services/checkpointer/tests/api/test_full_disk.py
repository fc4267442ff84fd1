"""A disk without room: 507, nothing half-written, and work goes on once there is room."""

import random
import uuid
from pathlib import Path

import httpx

from shim_common.db.database import Database

from ..building import append, everything, new_entry, open_session
from .test_routes import is_problem


async def test_a_full_disk(api: httpx.AsyncClient, database: Database, small_disk: Path) -> None:
    sid = await open_session(api)
    await append(api, sid, new_entry("m1", {"n": 1}))
    name = f"small_{uuid.uuid4().hex[:8]}"
    async with database.connection() as connection:
        await connection.execute(f"CREATE TABLESPACE {name} LOCATION '{small_disk}'")
        await connection.execute(f"ALTER TABLE entry SET TABLESPACE {name}")
    answers = []
    for number in range(2, 12):
        incompressible = [random.getrandbits(63) for _ in range(150_000)]
        body = {"entries": [new_entry(f"m{number}", {"n": incompressible})]}
        answers.append(await api.post(f"/v1/sessions/{sid}/entries", json=body))
        if answers[-1].status_code != 200:
            break

    assert is_problem(answers[-1], 507, "storage_full")
    assert "Free disk space" in answers[-1].json()["detail"]
    acknowledged = len(answers)
    assert (await api.get(f"/v1/sessions/{sid}")).json()["position"] == acknowledged
    assert (await api.get(f"/v1/sessions/{sid}/integrity")).json()["verified"] is True

    async with database.connection() as connection:
        await connection.execute("ALTER TABLE entry SET TABLESPACE pg_default")
        await connection.execute(f"DROP TABLESPACE {name}")
    again = await append(api, sid, new_entry(f"m{acknowledged + 1}", {"n": 2}))
    assert again["position"] == acknowledged + 1
    assert len(await everything(api, sid)) == acknowledged + 1
