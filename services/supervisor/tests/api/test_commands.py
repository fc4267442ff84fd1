"""Nothing that the API takes or gives away makes anybody run anything: launchers are named, never described."""

from typing import Any

import httpx
import pytest

from shim_common.db.database import Database

from ..building import events, heard, incident_of, is_problem, new_watch, send_attempt

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUSPECT = ("command", "argv", "args", "arguments", "program", "executable", "env", "environment", "shell", "cwd")


@pytest.mark.parametrize("extra", SUSPECT)
async def test_no_request_carries_a_command(
    shared_api: httpx.AsyncClient, shared_database: Database, extra: str
) -> None:
    incident = await incident_of(shared_api, "offer")
    before = len(await events(shared_database, incident["session"]))

    for method, path, body in (
        ("POST", f"/v1/incidents/{incident['id']}/restart", {}),
        ("PUT", "/v1/policies/calm", {}),
        ("PUT", "/v1/watches", new_watch()),
    ):
        answer = await shared_api.request(method, path, json={**body, extra: ["touch", "/tmp/owned"]})
        assert is_problem(answer, 422, "invalid")

    assert len(await events(shared_database, incident["session"])) == before


@pytest.mark.parametrize(
    "launcher",
    ["/bin/sh", "../tmux", "tmux; id", "tmux id", "$(id)", "-c", "tmux\nid", "Tmux", "", "x" * 65, ["tmux"], {"a": 1}],
)
async def test_a_launcher_is_a_name(shared_api: httpx.AsyncClient, shared_database: Database, launcher: object) -> None:
    incident = await incident_of(shared_api, "offer")

    answer = await shared_api.post(f"/v1/incidents/{incident['id']}/restart", json={"launcher": launcher})

    assert is_problem(answer, 422, "invalid")
    assert await heard(shared_database, incident["session"]) == ["process.exited", "incident.opened"]


async def test_the_event_of_a_request_holds_names_alone(
    shared_api: httpx.AsyncClient, shared_database: Database
) -> None:
    incident = await incident_of(shared_api, "offer")
    await shared_api.post(f"/v1/incidents/{incident['id']}/restart", json={"launcher": "tmux", "tools": "end"})

    requested = (await events(shared_database, incident["session"]))[-1]

    assert requested.data == {
        "watch_id": incident["watch_id"],
        "client": "claude-code",
        "managed_by": "run",
        "launcher": "tmux",
        "tools": "end",
    }


async def test_no_request_has_a_field_for_one(shared_api: httpx.AsyncClient) -> None:
    """The one `command` is that of a tool process that was seen: it is told, and never run."""
    document = (await shared_api.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    taken = {name for path in document["paths"].values() for method in path.values() for name in _bodies(method)}
    fields = {f"{name}.{field}" for name in _reached(taken, schemas) for field in schemas[name].get("properties", {})}

    assert {"NewWatch", "RestartRequest", "Policy", "EndReport"} <= taken
    assert {field for field in fields if field.partition(".")[2] in SUSPECT} == {"ToolProcess.command"}
    assert set(schemas["RestartRequest"]["properties"]) == {"launcher", "tools"}
    assert schemas["RestartRequest"]["additionalProperties"] is False


async def test_events_tell_how_many_tools_survived_and_not_what_they_are(
    shared_api: httpx.AsyncClient, shared_database: Database
) -> None:
    incident = await incident_of(shared_api)
    await send_attempt(shared_api, incident)

    for event in await events(shared_database, incident["session"]):
        assert not set(event.data) & set(SUSPECT)


def _bodies(operation: Any) -> set[str]:
    return _references(operation.get("requestBody", {}))


def _reached(names: set[str], schemas: Any) -> set[str]:
    reached: set[str] = set()
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= _references(schemas[name]) - reached
    return reached


def _references(document: Any) -> set[str]:
    if isinstance(document, dict):
        own = {document["$ref"].rpartition("/")[2]} if isinstance(document.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in document.values()))
    if isinstance(document, list):
        return set[str]().union(*(_references(value) for value in document))
    return set()
