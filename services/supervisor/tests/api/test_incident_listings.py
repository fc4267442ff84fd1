"""Listings of incidents: newest first, by state and session, page by page."""

import httpx

from ..building import incident_of, send_attempt
from .test_incidents import STEPS


async def test_listing_by_state_session_and_page(api: httpx.AsyncClient) -> None:
    incidents = [await incident_of(api, step) for step, _, _ in STEPS]
    await send_attempt(api, incidents[0])

    first = (await api.get("/v1/incidents", params={"limit": 3})).json()
    second = (await api.get("/v1/incidents", params={"limit": 3, "cursor": first["next_cursor"]})).json()

    listed = [one["id"] for one in [*first["items"], *second["items"]]]
    assert listed == [one["id"] for one in reversed(incidents)]
    assert second["next_cursor"] is None
    for state, number in {"resumed": 0, "open": 1, "offered": 2, "suppressed": 3, "escalated": 4}.items():
        found = (await api.get("/v1/incidents", params={"state": state})).json()["items"]
        assert [one["id"] for one in found] == [incidents[number]["id"]]
    assert len((await api.get("/v1/incidents")).json()["items"][-1]["attempts"]) == 1
    session = {"session": incidents[3]["session"]}
    assert [one["id"] for one in (await api.get("/v1/incidents", params=session)).json()["items"]] == [
        incidents[3]["id"]
    ]
