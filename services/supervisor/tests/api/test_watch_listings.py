"""Listings of watches: newest first, by state, page by page."""

import httpx

from shim_common.kernel.clock import ManualClock

from ..building import at, process, put_watch, send_end, state_of


async def test_listing_by_state_and_page(api: httpx.AsyncClient) -> None:
    watches = [await put_watch(api) for _ in range(5)]
    await send_end(api, watches[0])

    first = (await api.get("/v1/watches", params={"limit": 2})).json()
    second = (await api.get("/v1/watches", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    third = (await api.get("/v1/watches", params={"limit": 3, "cursor": second["next_cursor"]})).json()

    listed = [watch["id"] for watch in [*first["items"], *second["items"], *third["items"]]]
    assert listed == [watch["id"] for watch in reversed(watches)]
    assert third["next_cursor"] is None
    running = (await api.get("/v1/watches", params={"state": "running"})).json()["items"]
    ended = (await api.get("/v1/watches", params={"state": "ended"})).json()["items"]
    assert ([len(running)], [watch["id"] for watch in ended]) == ([4], [watches[0]["id"]])
    assert (await api.get("/v1/watches", params={"state": "unknown"})).json()["items"] == []


async def test_silence_is_unknown(api: httpx.AsyncClient, clock: ManualClock) -> None:
    quiet, loud = await put_watch(api), await put_watch(api)
    clock.advance(29)
    await api.post(f"/v1/watches/{loud['id']}/beat", json={"process": process(), "seen_at": at(29)})
    clock.advance(2)

    assert (await state_of(api, quiet), await state_of(api, loud)) == ("unknown", "running")
    unknown = (await api.get("/v1/watches", params={"state": "unknown"})).json()["items"]
    running = (await api.get("/v1/watches", params={"state": "running"})).json()["items"]
    assert ([watch["id"] for watch in unknown], [watch["id"] for watch in running]) == ([quiet["id"]], [loud["id"]])
