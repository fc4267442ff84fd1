"""Entries, hook payloads and calls of a small made-up session, as clients send them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from shim_checkpointer.domain.log import LogEntry
from shim_common.contracts.sessions import EntryKind

Json = dict[str, Any]

START = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROJECT = "/home/ana/webshop"
CLIENT_SESSION = "4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"
CALL = "toolu_01A"


def at(seconds: float = 0) -> datetime:
    """The moment so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def prompt(text: str, **line: object) -> Json:
    """A line with a prompt."""
    return {"type": "user", "message": {"role": "user", "content": text}, **line}


def reply(*blocks: Json, message_id: str = "msg_1", **line: object) -> Json:
    """A line with content blocks of a reply; `usage`, `model` and `stop_reason` go into the message."""
    inner = {name: line.pop(name) for name in ("usage", "model", "stop_reason") if name in line}
    message = {"role": "assistant", "id": message_id, "content": list(blocks), **inner}
    return {"type": "assistant", "message": message, **line}


def says(text: str) -> Json:
    """A text block."""
    return {"type": "text", "text": text}


def calls(name: str, call: str = CALL, **arguments: object) -> Json:
    """A block that calls a tool."""
    return {"type": "tool_use", "id": call, "name": name, "input": arguments}


def result(content: object = "done", call: str = CALL, *, failed: bool = False, **line: object) -> Json:
    """A line with the result of a call."""
    block = {"type": "tool_result", "tool_use_id": call, "content": content, "is_error": failed}
    return {"type": "user", "message": {"role": "user", "content": [block]}, **line}


def entry(body: Json, kind: EntryKind = EntryKind.MESSAGE, *, key: str = "k", seconds: float = 0) -> LogEntry:
    """An entry of a log."""
    return LogEntry(key, kind, at(seconds), body)


def log_of(*bodies: Json) -> list[LogEntry]:
    """A log of messages, one a second."""
    return [entry(body, key=f"m{number}", seconds=number) for number, body in enumerate(bodies)]


def new_entry(key: str, body: Json, kind: str = "message", seconds: float = 0) -> Json:
    """An entry as the API takes it."""
    return {"key": key, "kind": kind, "at": at(seconds).isoformat(), "body": body}


def hook(session: str = CLIENT_SESSION, **fields: object) -> Json:
    """What the client gives every hook, with an event's own fields."""
    return {"session_id": session, "cwd": PROJECT, "transcript_path": f"/x/{session}.jsonl", **fields}


async def open_session(api: httpx.AsyncClient, client_id: str = CLIENT_SESSION, project: str = PROJECT) -> str:
    """Open a session and return SHIM's id of it."""
    command = {"client": "claude-code", "client_session_id": client_id, "project": project}
    answer = await api.post("/v1/sessions", json=command)
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["id"])


async def append(api: httpx.AsyncClient, sid: str, *entries: Json, source: Json | None = None) -> Json:
    """Append entries and return the answer."""
    body = {"entries": list(entries), **({"source": source} if source else {})}
    answer = await api.post(f"/v1/sessions/{sid}/entries", json=body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def send_hook(api: httpx.AsyncClient, event: str, pid: int | None = None, **fields: Any) -> httpx.Response:
    """Send a hook event."""
    headers = {"x-shim-client-pid": str(pid)} if pid else {}
    payload = hook(hook_event_name=event, **fields)
    answer = await api.post(f"/v1/hooks/claude-code/{event}", json=payload, headers=headers)
    assert answer.status_code in (200, 204), answer.text
    return answer


async def everything(api: httpx.AsyncClient, sid: str) -> list[Json]:
    """All entries of a session, page by page."""
    items: list[Json] = []
    page: Json = {"next_cursor": None}
    while page["next_cursor"] or not items:
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else {}
        page = (await api.get(f"/v1/sessions/{sid}/entries", params={"limit": "100", **cursor})).json()
        items += page["items"]
        if not page["items"]:
            break
    return items
