"""A session is stored and read back."""

import httpx

from shim_common.kernel.clock import ManualClock

AT = "2026-11-20T12:00:00+00:00"


def message(key: str, role: str, text: str) -> dict[str, object]:
    return {"key": key, "kind": "message", "at": AT, "body": {"message": {"role": role, "content": text}}}


async def open_session(api: httpx.AsyncClient, client_id: str = "c-1", project: str = "/home/ana/webshop") -> str:
    answer = await api.post("/v1/sessions", json={"client": "test", "client_session_id": client_id, "project": project})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_a_session_is_stored_and_read_back(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    entries = [message("m1", "user", "Add a cart"), message("m2", "assistant", "I will.")]

    answer = await api.post(f"/v1/sessions/{sid}/entries", json={"entries": entries})

    assert answer.json() == {
        "position": 2,
        "appended": 2,
        "duplicates": 0,
        "source_end": None,
        "checkpoint_id": None,
        "hooked_at": None,
    }
    stored = (await api.get(f"/v1/sessions/{sid}/entries")).json()["items"]
    assert [entry["body"] for entry in stored] == [entry["body"] for entry in entries]
    assert (await api.get(f"/v1/sessions/{sid}/integrity")).json()["verified"] is True


async def test_the_client_id_names_the_session_too(api: httpx.AsyncClient) -> None:
    sid = await open_session(api, "4f6c")

    assert (await api.get("/v1/sessions/4f6c")).json()["id"] == sid


async def test_the_same_entry_twice_is_stored_once(api: httpx.AsyncClient) -> None:
    sid = await open_session(api)
    body = {"entries": [message("m1", "user", "Add a cart"), message("m1", "user", "Add a cart")]}

    await api.post(f"/v1/sessions/{sid}/entries", json=body)
    again = await api.post(f"/v1/sessions/{sid}/entries", json=body)

    assert (again.json()["position"], again.json()["duplicates"]) == (1, 2)


async def test_a_silent_session_with_an_open_turn_is_found(api: httpx.AsyncClient, clock: ManualClock) -> None:
    sid = await open_session(api)
    await api.post(f"/v1/sessions/{sid}/entries", json={"entries": [message("m1", "user", "Never touch the payments")]})

    clock.advance(31)
    answer = (await api.get("/v1/recovery", params={"project": "/home/ana/webshop/"})).json()

    assert answer["interrupted"] is True
    assert answer["session"]["id"] == sid
    assert answer["confidence"] == "likely"
    assert "Never touch the payments" in answer["bundle"][:2000]
