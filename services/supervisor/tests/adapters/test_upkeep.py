"""What is old goes, with everything that hangs on it; what is not stays."""

import httpx
from fastapi import FastAPI

from shim_common.db.database import Database
from shim_common.kernel.clock import ManualClock
from shim_supervisor.api import Services

from ..building import incident_of, process, put_watch, report, send_attempt, send_end, state_of

DAY = 86_400


async def counts(database: Database) -> dict[str, int]:
    async with database.connection() as connection:
        return {
            table: await connection.fetchval(f"SELECT count(*) FROM {table}")
            for table in ("watch", "incident", "attempt", "report", "idempotency")
        }


async def test_old_history_goes(api: httpx.AsyncClient, app: FastAPI, database: Database, clock: ManualClock) -> None:
    services: Services = app.state.services
    old = await incident_of(api, "offer")
    await api.post(f"/v1/incidents/{old['id']}/restart", json={}, headers={"idempotency-key": "k"})
    await send_attempt(api, old)
    alive = await put_watch(api)
    clock.advance(60 * DAY)
    now = clock.now().isoformat()
    await api.post(f"/v1/watches/{alive['id']}/beat", json={"process": process(), "seen_at": now})
    young = await send_end(api, await put_watch(api), report("offer", observed_at=now))
    assert young is not None

    clock.advance(29 * DAY)
    assert await services.upkeeping.clean_up() == ["1 kept answers"]
    clock.advance(2 * DAY)
    assert await services.upkeeping.clean_up() == ["1 old watches", "2 old reports"]
    assert await services.upkeeping.clean_up() == []

    assert await counts(database) == {"watch": 2, "incident": 1, "attempt": 0, "report": 1, "idempotency": 0}
    assert (await api.get(f"/v1/incidents/{old['id']}")).status_code == 404
    assert (await api.get(f"/v1/incidents/{young['id']}")).json()["state"] == "offered"
    assert await state_of(api, alive) == "unknown"
