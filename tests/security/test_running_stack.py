"""Security of the embedded stack as it runs: who can reach it, and what can be read of it."""

import hashlib
import secrets
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import httpx2
import psutil
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from shim_common.contracts.base import JsonObject

from ..stack.rig.stack import Stack
from .canaries import FORMS, Canaries
from .dumps import files_below, postgres_dump, redis_dump

pytestmark = pytest.mark.stack
SID = "security"
AT = "2026-11-20T12:00:00Z"


def files_of(stack: Stack) -> Iterator[tuple[Path, bytes]]:
    """Yield every file of a stack, those of its stores included, and what is in it."""
    for folder in {stack.home, *stack.record.data_folders.values()}:
        yield from files_below(folder)


# Who can reach it


def sockets(stack: Stack, kind: str) -> list[tuple[str, object]]:
    """Return the sockets that wait for somebody, by process and local address."""
    waiting = (psutil.CONN_LISTEN, psutil.CONN_NONE)
    return [
        (process.name(), connection.laddr)
        for process in (psutil.Process(identity.pid) for identity in stack.identities())
        for connection in process.net_connections(kind)
        if connection.status in waiting and connection.laddr
    ]


def test_01_one_socket_listens_and_only_on_loopback(stack: Stack) -> None:
    assert len(stack.identities()) > 5
    assert [tuple(address) for _, address in sockets(stack, "inet")] == [("127.0.0.1", stack.port)]


def test_01_unix_sockets_are_closed_to_other_users(stack: Stack) -> None:
    listening = {Path(str(address)) for _, address in sockets(stack, "unix")}
    names = {path.name for path in listening if path.exists()}
    assert {"checkpointer.sock", "mcp.sock", "valkey.sock", ".s.PGSQL.5432"} <= names
    assert [path for path in listening if path.exists() and path.stat().st_mode & 0o077] == []
    assert stack.record.run_folder is not None
    assert stat.S_IMODE(stack.record.run_folder.stat().st_mode) == 0o700


async def test_01_postgres_wants_its_password(stack: Stack, database_url: str) -> None:
    password = (stack.home / "postgres.password").read_text().strip()
    assert len(password) >= 32
    for wrong in ("postgres", "shim", password[:-1]):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(database_url.replace(password, wrong))


def test_03_what_was_made_is_closed_to_others(stack: Stack) -> None:
    keys = stack.home / "keys"
    made = {path.relative_to(keys).as_posix() for path in keys.rglob("*") if path.is_file()}
    assert made == {"admin.key", "agent.key", "ingest.key", "internal.secret", "pepper.secret", "files/1.key"}
    assert {stat.S_IMODE((keys / name).stat().st_mode) for name in made} == {0o600}
    folders = (stack.home, keys, keys / "files", stack.home / "logs")
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in folders} == {0o700}


# What can be read of it


@pytest.fixture(scope="module")
def http(stack: Stack) -> Iterator[httpx.Client]:
    headers = {"authorization": f"Bearer {stack.key()}"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False, timeout=30) as client:
        yield client


def lines_of(canaries: Canaries) -> list[JsonObject]:
    """Return bodies of entries with secrets wherever text can stand."""
    call = {"command": canaries.everything("command"), "env": {"API_TOKEN": secrets.token_hex(16)}}
    text = {"type": "text", "text": canaries.everything("assistant's text")}
    use = {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": call}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": canaries.everything("tool result")}
    return [
        {"message": {"role": "user", "content": canaries.everything("prompt")}},
        {"message": {"role": "assistant", "model": "claude", "id": "msg_1", "content": [text, use]}},
        {"message": {"role": "user", "content": [result]}},
        {
            "toolUseResult": {
                "stdout": canaries.everything("raw result"),
                "deep": [[{"x": canaries.everything("depth")}]],
            }
        },
    ]


def work(http: httpx.Client, canaries: Canaries) -> None:
    """Say secrets in every place where people or clients can say something."""

    def post(path: str, **command: object) -> JsonObject:
        answer = http.post(path, json=command, headers={"idempotency-key": uuid.uuid4().hex})
        assert answer.status_code < 300, answer.text
        return dict(answer.json()) if answer.content else {}

    post("/v1/sessions", client="claude-code", client_session_id=SID, project="/home/ana/webshop")
    entries = [{"key": f"m{n}", "kind": "message", "at": AT, "body": body} for n, body in enumerate(lines_of(canaries))]
    state = {"operation": canaries.everything("state"), "blockers": [canaries.everything("blocker")]}
    entries.append({"key": "state", "kind": "state", "at": AT, "body": state})
    entries.append({"key": "error", "kind": "error", "at": AT, "body": {"message": canaries.everything("error")}})
    post(f"/v1/sessions/{SID}/entries", entries=entries)
    hook = {"session_id": SID, "cwd": "/home/ana/webshop", "tool_name": "Bash", "tool_use_id": "toolu_2"}
    for event, field in (
        ("UserPromptSubmit", {"prompt": canaries.everything("hook prompt")}),
        ("PreToolUse", {"tool_input": {"command": canaries.everything("hook command")}}),
        ("PostToolUse", {"tool_response": {"stdout": canaries.everything("hook output")}}),
        ("PreCompact", {"custom_instructions": canaries.everything("compaction")}),
        ("Stop", {"last_assistant_message": canaries.everything("last message")}),
    ):
        post(f"/v1/hooks/claude-code/{event}", hook_event_name=event, **hook, **field)
    post(f"/v1/sessions/{SID}/checkpoints", note=canaries.everything("note"))
    tool = {"pid": 4_000_000, "created": 1.0, "command": canaries.everything("process")}
    post(f"/v1/sessions/{SID}/heartbeat", process={"pid": 4_000_001, "created": 1.0}, tool_processes=[tool])
    post(f"/v1/sessions/{SID}/end")
    for body in (canaries.everything("bad body"), '{"entries": "' + canaries.everything("bad shape") + '"}'):
        assert http.post(f"/v1/sessions/{SID}/entries", content=body).status_code in (400, 415, 422)
    assert http.get("/v1/recovery", params={"session": SID}).status_code == 200


@pytest.fixture(scope="module")
def canaries(http: httpx.Client) -> Canaries:
    """Secrets that were said in every place."""
    canaries = Canaries()
    work(http, canaries)
    assert len(canaries) >= 100
    return canaries


def test_13_canaries_can_be_found(canaries: Canaries) -> None:
    text = canaries.everything("a test of the test")
    assert len(canaries.found_in(text.encode())) == len(FORMS)


async def test_13_postgres_holds_no_secret(database_url: str, canaries: Canaries) -> None:
    dump = await postgres_dump(database_url)
    assert b"[redacted:" in dump["checkpointer.entry"] + dump["checkpointer.block"]
    assert b"[redacted:" in dump["checkpointer.observation"]
    assert {table: canaries.found_in(content) for table, content in dump.items()} == {table: [] for table in dump}


async def test_13_redis_holds_no_secret(redis_url: str, canaries: Canaries) -> None:
    dump = await redis_dump(redis_url)
    assert b"session.ended" in dump
    assert canaries.found_in(dump) == []


def test_13_neither_logs_nor_any_other_file_hold_a_secret(stack: Stack, canaries: Canaries) -> None:
    found = {str(path): canaries.found_in(content) for path, content in files_of(stack)}
    assert f"{stack.home}/logs/services.log" in found
    assert len(found) > 500
    assert {path: what for path, what in found.items() if what} == {}


def test_13_figures_hold_no_secret(http: httpx.Client, canaries: Canaries) -> None:
    for path in ("/metrics", "/metrics/checkpointer"):
        figures = http.get(path).content
        assert b"# TYPE" in figures
        assert canaries.found_in(figures) == []


def test_13_answers_hold_no_secret(http: httpx.Client, canaries: Canaries) -> None:
    paths = [f"/v1/sessions/{SID}{what}" for what in ("", "/entries", "/checkpoints", "/signals", "/snapshots")]
    for path in (*paths, f"/v1/recovery?session={SID}", "/v1/events?limit=1000"):
        answer = http.get(path)
        assert answer.status_code == 200, answer.text
        assert canaries.found_in(answer.content) == [], path


async def test_05_no_store_holds_a_key(stack: Stack, database_url: str, redis_url: str) -> None:
    stored = b"\n".join([*(await postgres_dump(database_url)).values(), await redis_dump(redis_url)])
    for path in (stack.home / "keys").rglob("*"):
        if path.is_file():
            assert path.read_bytes().strip() not in stored, path.name


@pytest.fixture(scope="module")
def content(http: httpx.Client) -> bytes:
    """The content of a file that is stored."""
    content = secrets.token_hex(64).encode() * 50
    path = f"/v1/blobs/{hashlib.sha256(content).hexdigest()}"
    put = http.put(path, content=content, headers={"content-type": "application/octet-stream"})
    assert put.status_code == 204
    assert http.get(path).content == content
    return content


async def test_16_a_file_is_stored_encrypted(stack: Stack, database_url: str, content: bytes) -> None:
    piece = content[:128]
    dump = await postgres_dump(database_url)
    assert hashlib.sha256(content).digest() in dump["checkpointer.blob"]
    assert [table for table, stored in dump.items() if piece in stored] == []
    assert [path for path, stored in files_of(stack) if piece in stored] == []


async def test_20_no_result_of_a_tool_holds_a_key(stack: Stack, canaries: Canaries) -> None:
    key = stack.key("agent")
    arguments: dict[str, JsonObject] = {
        "shim_auto_checkpoint": {"session_id": SID, "operation": f"Use {key}", "decisions": [f"The key is {key}"]},
        "shim_force_checkpoint": {"session_id": SID, "note": f"With {key}"},
        "shim_check_recovery": {"session_id": SID},
        "shim_monitor_signals": {"session_id": SID},
        "shim_session_status": {"session_id": SID},
        "shim_search": {"query": key},
        "shim_clear_state": {"session_id": SID, "confirm": True},
    }
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20) as http,
        Client(streamable_http_client(f"{stack.url}/mcp/", http_client=http)) as client,
    ):
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools == set(arguments)
        for name, given in arguments.items():
            told = (await client.call_tool(name, given)).model_dump_json().encode()
            for secret in (stack.key("admin"), key, stack.key("ingest")):
                assert secret.encode() not in told, name
            assert canaries.found_in(told) == [], name
