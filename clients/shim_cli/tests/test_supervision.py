"""`shim ps`, `incidents`, `restart` and `watch`, against a small supervisor on loopback."""

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import BaseModel

from shim_common.contracts.problems import Problem
from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import (
    Attempt,
    AttemptOutcome,
    Decision,
    End,
    EndKind,
    Incident,
    IncidentPage,
    IncidentState,
    Owner,
    RestartRequest,
    Step,
    ToolsPolicy,
    Watch,
    WatchPage,
    WatchState,
)

from .conftest import Person
from .run.scene import COMMAND, Terminal

NOW = datetime(2026, 11, 20, 17, 45, tzinfo=UTC)
PROCESS = ProcessRef(pid=4242, created=1.0)


def watch(number: int, state: WatchState = WatchState.RUNNING, **more: Any) -> Watch:
    given: dict[str, Any] = {
        "id": f"wch_{number}",
        "client": "claude-code",
        "session": f"session-{number}",
        "project": "/home/ana/webshop",
        "process": PROCESS,
        "managed_by": Owner.RUN,
        "policy": "default",
        "group": None,
        "started_under_shim": True,
        "state": state,
        "since": NOW,
        "last_seen_at": None,
        "ended_at": None,
        "rss_bytes": 3 * 2**20,
        "transcript_bytes": None,
    }
    return Watch(**given | more)


def incident(number: int, state: IncidentState = IncidentState.OFFERED, *attempts: Attempt) -> Incident:
    return Incident(
        id=f"inc_{number}",
        watch_id=f"wch_{number}",
        client="claude-code",
        session=f"session-{number}",
        project="/home/ana/\x1b[31mwebshop",
        state=state,
        opened_at=NOW,
        closed_at=None,
        end=End(process=PROCESS, observed_at=NOW, kind=EndKind.KILLED, signal=9),
        decision=Decision(step=Step.OFFER, why="it was not started under SHIM"),
        attempts=list(attempts),
    )


def attempt(outcome: AttemptOutcome, **more: Any) -> Attempt:
    return Attempt(**{"at": NOW, "outcome": outcome, "pid": None, "launcher": None, "why": ""} | more)


@dataclass
class Supervisor:
    """What it holds; `then` is what an incident is like once its restart was asked for."""

    watches: list[Watch] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    then: Incident | None = None
    asked: list[tuple[str, RestartRequest]] = field(default_factory=list)

    def get(self, path: str, query: dict[str, str]) -> BaseModel | None:
        state = query.get("state")
        if path == "/v1/watches":
            return WatchPage(items=[one for one in self.watches if state in (None, one.state)])
        if path == "/v1/incidents":
            session = query.get("session")
            found = [one for one in self.incidents if state in (None, one.state) and session in (None, one.session)]
            return IncidentPage(items=found)
        return next((one for one in self.incidents if path == f"/v1/incidents/{one.id}"), None)

    def post(self, path: str, body: bytes) -> BaseModel | None:
        found = next((one for one in self.incidents if path.startswith(f"/v1/incidents/{one.id}/")), None)
        if found is None:
            return None
        if path.endswith("/restart"):
            self.asked.append((found.id, RestartRequest.model_validate_json(body)))
            if self.then is not None:
                self.incidents[self.incidents.index(found)] = self.then
            return found
        return found.model_copy(update={"state": IncidentState.DISMISSED})


@pytest.fixture
def supervisor(nobody: Person) -> Iterator[Supervisor]:
    """One that runs, and a person who has its address."""
    made = Supervisor()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            self.reply(made.get(url.path, dict(parse_qsl(url.query))))

        def do_POST(self) -> None:
            self.reply(made.post(self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))

        def reply(self, model: BaseModel | None) -> None:
            missing = Problem(title="Not found", status=404, code="not_found", detail="there is no such incident")
            self.send_response(200 if model else 404)
            self.end_headers()
            self.wfile.write((model or missing).model_dump_json().encode())

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        keys = nobody.shim_home / "keys"
        keys.mkdir(parents=True, mode=0o700)
        (keys / "admin.key").write_text("shim_administers_everything_0123456789abcdef")
        (keys / "admin.key").chmod(0o600)
        (nobody.shim_home / "run.json").write_text(json.dumps({"port": server.server_port}))
        yield made
        server.shutdown()


def test_clients_are_listed_and_unknown_figures_left_out(nobody: Person, supervisor: Supervisor) -> None:
    supervisor.watches = [watch(1), watch(2, WatchState.UNKNOWN), watch(3, WatchState.ENDED)]
    shown = nobody.does("ps")
    assert "session-1" in shown
    assert "session-2" in shown
    assert "session-3" not in shown
    assert "3 MiB" in shown
    assert "session-3" in nobody.does("ps", "--all")
    assert [one["id"] for one in nobody.reads("ps")] == ["wch_1", "wch_2"]


def test_nothing_to_list_is_said(nobody: Person, supervisor: Supervisor) -> None:
    assert "No client runs" in nobody.does("ps")
    assert "No incidents" in nobody.does("incidents")


def test_incidents_are_listed_until_they_are_over(nobody: Person, supervisor: Supervisor) -> None:
    supervisor.incidents = [incident(1), incident(2, IncidentState.RESUMED), incident(3, IncidentState.ESCALATED)]
    shown = nobody.does("incidents")
    assert "inc_1" in shown
    assert "inc_2" not in shown
    assert "inc_3" in shown
    assert "killed, signal 9" in shown
    assert "\x1b" not in shown
    assert "inc_2" in nobody.does("incidents", "--all")
    assert [one["id"] for one in nobody.reads("incidents", "--session", "session-3")] == ["inc_3"]


@pytest.mark.parametrize("which", [["inc_1"], ["session-1"], []])
def test_a_session_is_brought_back(nobody: Person, supervisor: Supervisor, which: list[str]) -> None:
    supervisor.incidents = [incident(1)]
    running = attempt(AttemptOutcome.RUNNING, pid=77, launcher="tmux")
    supervisor.then = incident(1, IncidentState.RESUMED, running)
    shown = nobody.does("restart", *which, "--launcher", "tmux", "--tools", "end")
    assert shown == "Session session-1 runs again as process 77, by tmux.\n"
    assert supervisor.asked == [("inc_1", RestartRequest(launcher="tmux", tools=ToolsPolicy.END))]


def test_a_try_that_failed_says_why_and_how_it_goes_by_hand(nobody: Person, supervisor: Supervisor) -> None:
    supervisor.incidents = [incident(1)]
    failed = attempt(AttemptOutcome.FAILED, why="no tmux server runs")
    supervisor.then = incident(1, IncidentState.OPEN, failed)
    result = nobody.run("restart")
    assert result.exit_code == 1
    assert "session session-1 is not back: no tmux server runs; by hand: shim resume session-1 --run" in result.stderr


def test_which_one_is_not_guessed(nobody: Person, supervisor: Supervisor) -> None:
    assert nobody.run("restart").exit_code == 1
    supervisor.incidents = [incident(1), incident(2)]
    result = nobody.run("restart")
    assert result.exit_code == 2
    assert "2 sessions could be brought back" in result.stderr
    assert nobody.run("restart", "inc_9").exit_code == 1
    assert supervisor.asked == []


def test_an_incident_is_dismissed(nobody: Person, supervisor: Supervisor) -> None:
    supervisor.incidents = [incident(1)]
    assert nobody.does("restart", "inc_1", "--dismiss") == "inc_1 is dismissed.\n"
    assert supervisor.asked == []


def test_the_live_view_is_shown_once_in_a_pipe(nobody: Person, supervisor: Supervisor) -> None:
    supervisor.watches, supervisor.incidents = [watch(1)], [incident(2)]
    shown = nobody.does("watch")
    assert "session-1" in shown
    assert "inc_2" in shown


def test_a_digit_brings_a_session_back_in_the_live_view(nobody: Person, supervisor: Supervisor, tmp_path: Path) -> None:
    supervisor.incidents = [incident(1), incident(2)]
    descriptor, inner = os.openpty()
    environ = {"SHIM_HOME": str(nobody.shim_home), "HOME": str(tmp_path), "TERM": "xterm", "COLUMNS": "250"}
    same = [(os.POSIX_SPAWN_DUP2, inner, number) for number in range(3)]
    pid = os.posix_spawn(COMMAND, [str(COMMAND), "watch"], environ, file_actions=same, setsid=True)
    os.close(inner)
    terminal = Terminal(pid, descriptor)
    try:
        terminal.until("inc_2")
        terminal.type("2")
        terminal.until("session session-2 is asked for")
        terminal.type("q")
        assert terminal.end() == 0
    finally:
        terminal.close()
    assert [asked for asked, _ in supervisor.asked] == ["inc_2"]


def test_without_shim_it_is_said(nobody: Person) -> None:
    assert nobody.run("ps").exit_code == 3
