"""The figures, all of them at 0 from the start."""

import httpx
import pytest

from shim_common.kernel.clock import ManualClock

from ..building import at, attempt, incident_of, put_watch, send_attempt


async def figures(api: httpx.AsyncClient) -> dict[str, float]:
    lines = (await api.get("/metrics")).text.splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


ZERO = [
    *(f'shim_process_exits_total{{kind="{kind}"}}' for kind in ("closed", "failed", "killed", "usage_limit", "lost")),
    *(f'shim_incidents_total{{event="{event}"}}' for event in ("opened", "escalated", "resolved")),
    *(f'shim_restarts_attempted_total{{outcome="{outcome}"}}' for outcome in ("running", "failed")),
    "shim_restarts_suppressed_total",
    "shim_restarts_requested_total",
    "shim_recovery_seconds_count",
]


async def test_they_are_there_from_the_start(api: httpx.AsyncClient) -> None:
    found = await figures(api)

    assert [found[name] for name in ZERO] == [0.0] * len(ZERO)


async def test_they_count_what_was_committed(api: httpx.AsyncClient, clock: ManualClock) -> None:
    steps = ("restart", "suppress", "escalate", "offer")
    first, _, _, offered = [await incident_of(api, step) for step in steps]
    clock.advance(5)
    await send_attempt(api, first, attempt("failed"))
    await send_attempt(api, first, attempt(at=at(0.3)))
    await api.post(f"/v1/incidents/{offered['id']}/restart", json={})
    await api.post(f"/v1/incidents/{offered['id']}/dismiss")
    watch = await put_watch(api)

    found = await figures(api)

    assert found['shim_process_exits_total{kind="killed"}'] == 4
    assert found['shim_incidents_total{event="opened"}'] == 4
    assert found['shim_incidents_total{event="escalated"}'] == 1
    assert found['shim_incidents_total{event="resolved"}'] == 2
    assert found["shim_restarts_suppressed_total"] == 1
    assert found["shim_restarts_requested_total"] == 1
    assert found['shim_restarts_attempted_total{outcome="failed"}'] == 1
    assert found["shim_recovery_seconds_count"] == 1  # a dismissal is no recovery
    assert found["shim_recovery_seconds_sum"] == pytest.approx(0.3)
    assert watch["id"] not in str(found)
    assert any('handler="/v1/incidents/{incident_id}/attempts"' in name for name in found)
