import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from shim_agent import connections
from shim_cli.resume import OPEN_DESKTOP
from shim_common.contracts import sessions as wire
from shim_common.contracts.envelope import Event

from .conftest import Person
from .fake_shim import ADMIN_KEY, NOW, FakeShim, recovery_of


def test_sessions_are_listed_newest_first(user: Person, shim: FakeShim) -> None:
    assert "No sessions yet" in user.does("sessions")
    for _ in range(3):
        shim.add_session()
    shown = user.does("sessions", "--limit", "2")
    assert shown.index("client-3") < shown.index("client-2")
    assert "client-1" not in shown
    assert [one["id"] for one in user.reads("sessions")] == ["ses_3", "ses_2", "ses_1"]


def test_sessions_of_a_project_and_in_a_state(user: Person, shim: FakeShim, tmp_path: Path) -> None:
    shim.add_session(project=str(tmp_path))
    shim.add_session(project=str(tmp_path), state=wire.SessionState.INTERRUPTED)
    shim.add_session(state=wire.SessionState.INTERRUPTED)
    found = user.reads("sessions", "--project", tmp_path, "--state", "interrupted")
    assert [one["id"] for one in found] == ["ses_2"]


def test_more_sessions_than_a_page_are_listed(user: Person, shim: FakeShim) -> None:
    for _ in range(250):
        shim.add_session()
    assert len(user.reads("sessions", "--limit", "230")) == 230


def test_a_session_is_shown_with_all_that_is_known(user: Person, shim: FakeShim) -> None:
    stored = shim.add_session(state=wire.SessionState.INTERRUPTED, turn_open=True, model="opus")
    shim.add_checkpoint(stored, wire.Trigger.ON_DEMAND)
    shown = user.does("session", "client-1")
    expected_parts = [
        "interrupted, turn open",
        "context_used: 54 % is used.",
        "25% that a compaction comes",
        "Prices are whole cents.",
        "cart.py",
        "Bash pytest -q - finished with output: '3 passed'",
        "its process ended while a turn was open",
    ]
    for expected in expected_parts:
        assert expected in shown
    read = user.reads("session", "ses_1")
    assert set(read) == {"session", "signals", "last_checkpoint", "recovery"}


def test_stored_text_cannot_steer_the_terminal(user: Person, shim: FakeShim) -> None:
    shim.add_session(project="/home/ana/\x1b[2J\x07evil")
    shown = user.does("sessions")
    assert "\x1b" not in shown
    assert "\x07" not in shown


def test_checkpoints_are_made_and_listed(user: Person, shim: FakeShim) -> None:
    shim.add_session()
    assert "No checkpoints yet" in user.does("checkpoints", "ses_1")
    assert "Checkpoint 1 made: ckp_ses_1_1" in user.does("checkpoint", "ses_1", "--note", "before the move")
    assert "before the move" in user.does("checkpoints", "client-1")
    assert user.reads("checkpoints", "client-1")[0]["trigger"] == "on_demand"


def test_recovery_answers_with_its_exit_code(user: Person, shim: FakeShim, tmp_path: Path) -> None:
    result = user.run("recovery", "--project", tmp_path)
    assert result.exit_code == 1
    assert "Nothing is interrupted" in result.stdout
    shim.add_session(project=str(tmp_path), state=wire.SessionState.INTERRUPTED)
    shown = user.does("recovery", "--project", tmp_path)
    assert "Open task: test the cart." in shown
    assert "shim resume client-1 --run" in shown
    whole = user.does("recovery", "--project", tmp_path, "--bundle")
    assert len(whole) == 3027
    assert user.reads("recovery", "--project", tmp_path)["interrupted"] is True


def test_resume_says_exactly_what_to_run(user: Person, shim: FakeShim, tmp_path: Path) -> None:
    folder = tmp_path / "web shop"
    shim.add_session(project=str(folder), state=wire.SessionState.INTERRUPTED)
    shown = user.does("resume", "client-1")
    assert shown.rstrip().splitlines()[-1] == f"cd '{folder}' && claude --resume client-1"


def test_resume_runs_the_client_in_its_folder(user: Person, shim: FakeShim, tmp_path: Path) -> None:
    """In a process of its own, because the client takes its place."""
    folder = tmp_path / "webshop"
    folder.mkdir()
    client = tmp_path / "bin" / "claude"
    client.parent.mkdir()
    client.write_text('#!/bin/sh\necho "$PWD: $*"\n')
    client.chmod(0o755)
    shim.add_session(project=str(folder), state=wire.SessionState.INTERRUPTED)
    environ = {**{name: str(value) for name, value in user.environ.items()}, "PATH": f"{client.parent}:/usr/bin:/bin"}
    command = [sys.executable, "-c", "from shim_cli.main import main; main()", "resume", "client-1", "--run"]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, check=True)
    assert done.stdout == f"{folder}: --resume client-1\n"


@pytest.mark.parametrize("is_written", [True, False])
def test_a_session_that_left_no_transcript_goes_on_in_a_new_one(
    user: Person, shim: FakeShim, tmp_path: Path, is_written: bool
) -> None:
    sid = "4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"
    stored = shim.add_session(client_session_id=sid, project=str(tmp_path), state=wire.SessionState.INTERRUPTED)
    config = user.home / ".claude"
    transcript = config / "projects" / "any" / f"{sid}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.touch() if is_written else None
    connections.connect(user.shim_home, "claude-code", config, NOW)
    last = user.does("resume", stored.session.id).rstrip().splitlines()[-1]
    if is_written:
        assert last == f"cd {tmp_path} && claude --resume {sid}"
    else:
        bundle = f"shim recovery --session {sid} --bundle"
        assert last == f'cd {tmp_path} && claude --append-system-prompt "$({bundle})"'
        assert user.does(*bundle.split()[1:]).startswith("Open task: test the cart.")


def test_resume_of_claude_desktop_opens_the_program(user: Person, shim: FakeShim) -> None:
    stored = shim.add_session(client="claude-desktop", state=wire.SessionState.INTERRUPTED)
    shim.recovery = recovery_of(stored.session).model_copy(update={"resume": None})

    last = user.does("resume", "client-1").rstrip().splitlines()[-1]

    assert shlex.join(OPEN_DESKTOP) in last
    assert last.endswith("then ask it there to call shim_check_recovery")


def test_resume_says_what_is_in_the_way(user: Person, shim: FakeShim, tmp_path: Path) -> None:
    assert "nothing to resume" in user.run("resume").stderr
    stored = shim.add_session(project=str(tmp_path / "gone"), state=wire.SessionState.INTERRUPTED)
    result = user.run("resume", "client-1", "--run")
    assert result.exit_code == 2
    assert "is not there any more" in result.stderr
    shim.recovery = recovery_of(stored.session).model_copy(update={"resume": None})
    assert "cannot resume a session by a command" in user.run("resume", "client-1").stderr


def event(number: int, kind: str) -> Event:
    return Event(
        id=f"evt_{number:03}",
        type=kind,
        occurred_at=NOW,
        source="checkpointer",
        subject="ses_1",
        actor="key_1",
        session_id="ses_1",
        data={"number": number},
    )


@pytest.fixture
def events(shim: FakeShim) -> FakeShim:
    shim.events = [event(number, ("session.started", "signal.raised")[number % 2]) for number in range(120)]
    return shim


def test_the_whole_history_of_events_is_shown(user: Person, events: FakeShim) -> None:
    lines = user.does("events").splitlines()
    assert len(lines) == 120
    assert lines[0].endswith("session.started ses_1 number=0")
    assert len(user.does("events", "--types", "signal.raised").splitlines()) == 60
    assert len(user.does("events", "--after", "evt_117").splitlines()) == 2
    assert user.does("events", "--session", "other") == ""


def test_live_events_are_followed_until_the_stream_ends(user: Person, events: FakeShim) -> None:
    lines = user.does("events", "-f", "--types", "signal.raised", "--after", "evt_3", "--json").splitlines()
    assert [json.loads(line)["id"] for line in lines[:2]] == ["evt_001", "evt_003"]
    assert events.requests[-1].headers["last-event-id"] == "evt_3"


def test_keys_are_made_rotated_and_revoked(user: Person) -> None:
    assert "No keys." in user.does("keys", "list")
    made = user.does("keys", "create", "laptop", "--scope", "read", "--scope", "ingest")
    assert "shim_abcdef" in made
    shown = user.does("keys", "list")
    assert "laptop" in shown
    assert "read ingest" in shown
    assert "shim_abcdef" not in shown
    assert user.reads("keys", "rotate", "key_1")["secret"] == "shim_newer"
    assert "revoked" in user.does("keys", "revoke", "key_1")
    assert user.reads("keys", "list")[0]["revoked_at"]


def test_the_version_is_told_with_and_without_a_stack(user: Person, nobody: Person) -> None:
    assert user.reads("version")["stack"] == "0.1.0"
    user.environ["SHIM_URL"] = "http://127.0.0.1:9"
    assert user.run("version").exit_code == 3
    assert set(user.reads("version", "--local")) == {"command"}


@pytest.mark.parametrize(
    "command", [["sessions"], ["session", "x"], ["recovery"], ["resume"], ["keys", "list"], ["events"], ["demo"]]
)
def test_a_shim_that_does_not_run_is_said_in_one_line(user: Person, command: list[str]) -> None:
    user.environ["SHIM_URL"] = "http://127.0.0.1:9"
    result = user.run(*command)
    assert result.exit_code == 3
    assert result.stderr == "shim: SHIM is not running at http://127.0.0.1:9; start it with `shim up`\n"


def test_a_shim_that_never_ran_is_said_in_one_line(nobody: Person) -> None:
    result = nobody.run("sessions")
    assert result.exit_code == 3
    assert result.stderr.count("\n") == 1
    assert "run `shim up`" in result.stderr


def test_a_refusal_is_told_with_what_to_do(user: Person, shim: FakeShim) -> None:
    result = user.run("session", "nobody/../x?y")
    assert result.exit_code == 1
    assert result.stderr == "shim: there is no session 'nobody/../x?y'; `shim sessions` lists them\n"
    (user.shim_home / "keys" / "admin.key").write_text("shim_revoked_0123456789abcdef0123456789")
    assert user.run("sessions").stderr == "shim: give a key as a bearer token\n"


def test_a_key_that_others_can_read_is_refused(user: Person) -> None:
    (user.shim_home / "keys" / "admin.key").chmod(0o644)
    result = user.run("sessions")
    assert result.exit_code == 1
    assert "chmod 600" in result.stderr


def test_another_program_at_the_port_is_not_taken_for_shim(user: Person, shim: FakeShim) -> None:
    shim.is_another_program = True
    result = user.run("sessions")
    assert result.exit_code == 3
    assert "is not SHIM" in result.stderr


def test_another_key_file_can_be_named(user: Person, tmp_path: Path) -> None:
    file = tmp_path / "mine.key"
    file.write_text(ADMIN_KEY)
    file.chmod(0o600)
    (user.shim_home / "keys" / "admin.key").unlink()
    user.environ["SHIM_KEY_FILE"] = str(file)
    user.does("sessions")
