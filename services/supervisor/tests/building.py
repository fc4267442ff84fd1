"""Watches, ends and attempts, as owners report them."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import orjson

from shim_common.contracts.envelope import Event
from shim_common.db.database import Database
from shim_common.db.outbox import event_of

Json = dict[str, Any]

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CREATED = 1_795_000_000.25
_NUMBERS = itertools.count(1)


def at(seconds: float = 0) -> str:
    """The moment so many seconds after the start, as it is sent."""
    return (START + timedelta(seconds=seconds)).isoformat()


def process(pid: int = 4711, created: float = CREATED) -> Json:
    """A process."""
    return {"pid": pid, "created": created}


def new_watch(session: str | None = None, **fields: Any) -> Json:
    """A watch, of a session of its own unless one is named."""
    base = {
        "client": "claude-code",
        "session": session or f"session-{next(_NUMBERS)}",
        "project": "/home/ana/webshop",
        "process": process(),
        "managed_by": "run",
        "started_under_shim": True,
    }
    return {**base, **fields}


def report(step: str = "restart", kind: str = "killed", report_id: str | None = None, **end: Any) -> Json:
    """The end of the process of `new_watch`, and what its owner decided."""
    due = {} if step in ("offer", "leave") else {"wait_s": 1.5, "next_try_at": at(1.5)}
    return {
        "id": report_id or f"r-{next(_NUMBERS)}",
        "end": {"process": process(), "observed_at": at(), "kind": kind, **end},
        "decision": {"step": step, "why": "failure 1 of 5 that are allowed", **due},
    }


def attempt(outcome: str = "running", report_id: str | None = None, **fields: Any) -> Json:
    """A try to start again."""
    return {"id": report_id or f"a-{next(_NUMBERS)}", "at": at(), "outcome": outcome, **fields}


async def put_watch(api: httpx.AsyncClient, command: Json | None = None) -> Json:
    """Watch a process and return the watch."""
    answer = await api.put("/v1/watches", json=command or new_watch())
    assert answer.status_code in (200, 201), answer.text
    return dict(answer.json())


async def state_of(api: httpx.AsyncClient, watch: Json) -> str:
    """Where a watch stands."""
    return str((await api.get(f"/v1/watches/{watch['id']}")).json()["state"])


async def send_end(api: httpx.AsyncClient, watch: Json, sent: Json | None = None) -> Json | None:
    """Report the end of a watch's process and return the incident, if it is one."""
    answer = await api.post(f"/v1/watches/{watch['id']}/end", json=sent or report())
    assert answer.status_code in (200, 204), answer.text
    return dict(answer.json()) if answer.status_code == 200 else None


async def incident_of(api: httpx.AsyncClient, step: str = "restart", watch: Json | None = None) -> Json:
    """Let a watched process end and return the incident."""
    incident = await send_end(api, watch or await put_watch(api), report(step))
    assert incident is not None
    return incident


async def send_attempt(api: httpx.AsyncClient, incident: Json, sent: Json | None = None) -> Json:
    """Report a try to start again and return the incident."""
    answer = await api.post(f"/v1/incidents/{incident['id']}/attempts", json=sent or attempt())
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def events(database: Database, session: str) -> list[Event]:
    """Every event of a session, in the order in which they were written."""
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT * FROM bus.outbox WHERE session_id = $1 ORDER BY position", session)
    return [event_of(row) for row in rows]


async def heard(database: Database, session: str) -> list[str]:
    """The types of a session's events, in the order in which they were written."""
    return [event.type for event in await events(database, session)]


def is_problem(answer: httpx.Response, status: int, code: str) -> bool:
    """Whether an answer is a problem that says what is wrong."""
    document = orjson.loads(answer.content)
    return (
        answer.status_code == status == document["status"]
        and answer.headers["content-type"] == "application/problem+json"
        and document["code"] == code
        and len(document["detail"]) > 10
        and bool(document["title"])
    )
