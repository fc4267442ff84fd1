"""Logs say what happens to SHIM, never what people work on: one JSON object a line, no conversation, no secrets."""

import json
import secrets
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from shim_cli.api import Api
from shim_cli.errors import ApiProblem, NotRunning
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import AppendEntries, EntryKind, NewCheckpoint, NewEntry, NewSession
from shim_common.kernel.clock import SystemClock

from ..stack.rig.client import connected, prompt_line
from ..stack.rig.stack import Stack
from ..stack.rig.waiting import eventually

pytestmark = pytest.mark.stack

OURS = ("services", "gateway", "agent")
SID = "canary"


def canary() -> str:
    """A word that nobody else writes."""
    return f"canary{secrets.token_hex(12)}"


@pytest.fixture(scope="module")
def words() -> dict[str, str]:
    """What the logs must not show, by where it is said."""
    places = ("prompt", "command", "result", "hook", "note", "state", "transcript", "body", "query", "project")
    return {place: canary() for place in places}


@pytest.fixture(scope="module")
def secret_key() -> str:
    """A secret in the conversation, of a well-known form."""
    return f"ghp_{secrets.token_hex(18)}"


def lines_of_a_call(words: dict[str, str], secret_key: str) -> list[JsonObject]:
    """A prompt, a call and its failing result."""
    call = {"type": "tool_use", "id": "toolu_canary", "name": "Bash", "input": {"command": f"echo {words['command']}"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_canary", "is_error": True, "content": words["result"]}
    said = f"{words['prompt']} GITHUB_TOKEN={secret_key}"
    return [
        {"type": "user", "message": {"role": "user", "content": said}},
        {"type": "assistant", "message": {"id": "msg_1", "role": "assistant", "model": "m", "content": [call]}},
        {"type": "user", "message": {"role": "user", "content": [result]}},
    ]


def work(api: Api, words: dict[str, str], secret_key: str) -> None:
    """Use everything that takes text of people's work."""
    now = SystemClock().now()
    api.open_session(NewSession(client="claude-code", client_session_id=SID, project=f"/shim-test/{words['project']}"))
    entries = [
        NewEntry(key=f"line-{number}", kind=EntryKind.MESSAGE, at=now, body=body)
        for number, body in enumerate(lines_of_a_call(words, secret_key))
    ]
    state = NewEntry(key="state", kind=EntryKind.STATE, at=now, body={"operation": words["state"]})
    api.append(SID, AppendEntries(entries=[*entries, state]))
    api.make_checkpoint(SID, NewCheckpoint(note=words["note"]))
    tool = {"tool_name": "Bash", "tool_use_id": "toolu_2", "tool_input": {"command": f"{words['hook']} {secret_key}"}}
    for event in ("PreToolUse", "PostToolUse"):
        api.hook(event, {"hook_event_name": event, "session_id": SID, "cwd": "/shim-test", **tool})
    api.recovery(session=SID)


def misuse(stack: Stack, words: dict[str, str]) -> None:
    """Provoke what is logged when something goes wrong."""
    headers = {"Authorization": f"Bearer {stack.key()}", "Content-Type": "application/json"}
    with httpx.Client(base_url=stack.url, headers=headers, trust_env=False) as http:
        for body in (words["body"], f'{{"entries": "{words["body"]}"}}', f'{{"{words["body"]}\\u0000": 1}}'):
            assert http.post(f"/v1/sessions/{SID}/entries", content=body).status_code in (400, 422)
        assert http.get("/v1/recovery", params={"session": words["query"]}).status_code == 404


def trouble(stack: Stack, api: Api) -> None:
    """Take the stores away in the middle of work, so that everything that can complain does."""
    for store in ("postgres", "valkey"):
        stack.kill(store)
        with suppress(ApiProblem, NotRunning):
            api.make_checkpoint(SID, NewCheckpoint())
    eventually(lambda: _is_well(stack), "the stack is well again")


def _is_well(stack: Stack) -> bool:
    ready = httpx.get(f"{stack.url}/readyz", trust_env=False).status_code == 200
    return ready and all(process.state == "ready" for process in stack.record.processes)


@pytest.fixture(scope="module")
def logs(
    stack: Stack, words: dict[str, str], secret_key: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The logs of every process after work, misuse and trouble."""
    with connected(stack.home, tmp_path_factory.mktemp("client") / "config") as client, stack.api() as api:
        session = str(uuid.uuid4())
        client.write(prompt_line(session, "line", words["transcript"]) + b'{"torn": "' + b"\n", session)
        eventually(lambda: session in {found.client_session_id for found in api.sessions(10)}, "it is followed")
        work(api, words, secret_key)
        misuse(stack, words)
        trouble(stack, api)
        stored = json.dumps([entry.body for entry in api.entries(SID)])
    assert words["prompt"] in stored
    assert secret_key not in stored
    return {path.stem: path.read_text(errors="strict") for path in (stack.home / "logs").glob("*.log")}


def test_every_process_has_a_log(stack: Stack, logs: dict[str, str]) -> None:
    assert set(logs) == {"runner", *(process.name for process in stack.record.processes)}


@pytest.mark.parametrize("process", OURS)
def test_each_line_is_a_json_object(logs: dict[str, str], process: str) -> None:
    for line in logs[process].splitlines():
        said = json.loads(line)
        assert {"event", "level", "service", "timestamp"} <= said.keys(), line
        assert said["service"] == process


def test_nothing_of_the_conversation_is_logged(logs: dict[str, str], words: dict[str, str]) -> None:
    found = [(process, place) for process, log in logs.items() for place, word in words.items() if word in log]

    assert found == []


def test_no_secret_is_logged(stack: Stack, logs: dict[str, str], secret_key: str) -> None:
    found = [name for name, secret in _secrets(stack) for log in logs.values() if secret in log]

    assert found == []
    assert not [process for process, log in logs.items() if secret_key in log]


def _secrets(stack: Stack) -> Iterator[tuple[str, str]]:
    for path in (*(stack.home / "keys").glob("*.key"), stack.home / "postgres.password"):
        with suppress(UnicodeDecodeError):
            yield path.name, path.read_text().strip()


FULL = Path("/dev/full")
LOGGING = """
import logging, structlog
from shim_common.observability.logs import configure
configure("test")
structlog.get_logger().warning("nobody can write this")
logging.getLogger("a.library").warning("nor this")
print("went on")
"""


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
def test_a_log_that_cannot_be_written_stops_no_work() -> None:
    with FULL.open("wb") as full:
        done = subprocess.run([sys.executable, "-c", LOGGING], stderr=full, stdout=subprocess.PIPE, check=False)

    assert (done.returncode, done.stdout) == (0, b"went on\n")
