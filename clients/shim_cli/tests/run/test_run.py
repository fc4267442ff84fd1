"""`shim run` with a stand-in for the client; the real one is in tests/client/test_run.py."""

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from shim_agent.supervision.policies import Policies
from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Report
from shim_common.contracts.supervision import AttemptOutcome, EndKind, Owner, Policy, PolicyList, RestartMode, Step

from .scene import PATIENCE, S, Scene, scene

RESUMED = ["--resume", S]


@pytest.fixture
def s(tmp_path: Path) -> Iterator[Scene]:
    with scene(tmp_path) as made:
        yield made


def reports(s: Scene) -> list[Report]:
    """Take everything out of the spool."""
    store, found = Store(s.home), []
    while one := store.next_report():
        assert one[1] is not None
        found.append(one[1])
        store.drop_report(one[0])
    return found


def until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def keep(s: Scene, **policy: object) -> None:
    Policies(s.home).keep(PolicyList(items=[Policy.model_validate({"name": "default", **policy})]))


# --- as if SHIM were not there


def test_other_commands_run_as_they_are(s: Scene) -> None:
    terminal = s.open("--", "sh", "-c", "test -t 0 -a -t 1 -a -t 2 && stty size && exit 7")
    fcntl.ioctl(terminal.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    assert terminal.end() == 7
    assert terminal.shown in ("33 77\r\n", "0 0\r\n")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])
def test_it_dies_by_the_signal_that_the_command_died_by(s: Scene, number: signal.Signals) -> None:
    assert s.open("sh", "-c", f"kill -{int(number)} $$").end() == -number
    assert reports(s) == []


def test_keys_and_sizes_reach_the_command(s: Scene) -> None:
    terminal = s.open("sh", "-c", "trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done")
    terminal.until("up")
    fcntl.ioctl(terminal.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 88, 0, 0))
    terminal.until("44 88")
    terminal.type("\x03")
    assert terminal.end() in (-signal.SIGINT, 130)


def test_the_end_of_the_input_reaches_the_command(s: Scene) -> None:
    terminal = s.open("cat")
    terminal.type("hello\n")
    terminal.until("hello\r\nhello\r\n")
    terminal.type("\x04")
    assert terminal.end() == 0


def test_the_terminal_is_as_it_was(s: Scene) -> None:
    """A shell that sets the terminal up, runs it and looks again."""
    run = " ".join(map(_quoted, s.command("sh", "-c", "stty raw -echo")))
    terminal = s.open("sh", "-c", f"stty -echo; before=$(stty -g); {run}; test $(stty -g) = $before && echo the same")
    terminal.until("the same")
    assert terminal.end() == 0


TELLS_WHEN_IT_GOES_ON = """
import signal
signal.signal(signal.SIGCONT, lambda *_: print("back", flush=True))
signal.signal(signal.SIGINT, signal.SIG_DFL)
print("up", flush=True)
while True:
    signal.pause()
"""


@pytest.mark.xfail(strict=False, reason="known: on a busy machine one in five `fg` after Ctrl-Z does not bring it back")
def test_the_whole_job_is_stopped_and_goes_on(s: Scene) -> None:
    shell = s.open("bash", "--norc", "-i")
    shell.type(" ".join(map(_quoted, s.command(sys.executable, "-c", TELLS_WHEN_IT_GOES_ON))) + "\n")
    shell.until("up\r\n")
    shell.type("\x1a")
    shell.until("Stopped")
    shell.type("echo here$((40+2)); fg\n")
    shell.until("here42")
    shell.until("back\r\n")
    shell.shown = ""
    shell.type("\x03")
    shell.until("bash")
    shell.type("echo code $?; exit\n")
    shell.until("code 130")
    shell.end()


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"


def test_pipes_go_straight_to_the_command(s: Scene) -> None:
    done = subprocess.run(
        s.command("sh", "-c", "test ! -t 0 && tr a-z A-Z; echo error >&2; exit 3"),
        input=b"hello\n", capture_output=True, env=s.environment,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (3, b"HELLO\n", b"error\n")


def test_what_cannot_be_run_is_said_as_a_shell_says_it(s: Scene) -> None:
    done = subprocess.run(s.command("no-such-program"), capture_output=True, env=s.environment, text=True)
    assert (done.returncode, done.stderr) == (127, "shim: no-such-program: No such file or directory\n")
    (s.root / "plain").write_text("")
    done = subprocess.run(s.command(str(s.root / "plain")), capture_output=True, env=s.environment, text=True)
    assert done.returncode == 126


def test_an_unknown_policy_is_refused_before_anything_is_started(s: Scene) -> None:
    terminal = s.claude(options=("--policy", "nightly"))
    assert terminal.end() == 2
    assert "knows no policy 'nightly'" in terminal.shown
    assert s.starts == []


def test_a_disk_that_fails_stops_nothing(s: Scene) -> None:
    s.home.write_text("a file where a folder should be")
    s.plan({"kill": 1}, {"exit": 0})
    terminal = s.claude()
    assert terminal.end() == 0
    assert s.starts == [[], RESUMED]


# --- closed on purpose


@pytest.mark.parametrize("todo", [{"exit": 0}, {"exit": 130}])
def test_a_client_that_is_closed_stays_closed(s: Scene, todo: dict[str, object]) -> None:
    s.plan({"wait": 1, **todo})
    assert s.claude().end() == todo["exit"]
    assert len(s.starts) == 1


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_asked_to_end_it_asks_the_client_and_both_stay_closed(s: Scene, number: signal.Signals, code: int) -> None:
    s.plan({"stay": 1})
    terminal = s.claude()
    terminal.until("client 1 is up")
    store = Store(s.home)
    until(lambda: store.tended_session(S) is not None)
    os.kill(terminal.pid, number)
    assert terminal.end() == code
    known = store.tended_session(S)
    assert known is not None
    assert known.ended is not None
    assert (known.ended.end.kind, known.by_hand) == (EndKind.CLOSED, False), "it may be the first to go in a shutdown"
    assert len(s.starts) == 1


def test_a_client_that_is_closed_by_hand_is_told_of_at_once(s: Scene) -> None:
    s.plan({"wait": 1, "exit": 0})
    assert s.claude().end() == 0
    (report,) = reports(s)
    assert report.end is not None
    assert (report.end.end.kind, report.end.decision.step) == (EndKind.CLOSED, Step.LEAVE)
    assert Store(s.home).tended() == []


# --- coming back


def test_a_client_that_is_killed_is_back_in_the_same_place(s: Scene) -> None:
    s.plan({"kill": 1}, {"wait": 1, "exit": 0})
    terminal = s.claude("--model", "opus", "Sort the drawers")
    assert terminal.end() == 0
    assert s.starts == [["--model", "opus", "Sort the drawers"], ["--model", "opus", *RESUMED]]
    assert f"the client was killed by SIGKILL; going on with session {S}" in terminal.shown
    assert terminal.shown.count("?1049l") == 0, "it was not on the alternate screen"
    first, second, third = reports(s)
    assert first.end is not None
    assert (first.end.end.kind, first.end.end.signal, first.end.decision.step) == (EndKind.KILLED, 9, Step.RESTART)
    assert (first.watch.managed_by, first.watch.started_under_shim) == (Owner.RUN, True)
    assert second.attempt is not None
    assert second.end == first.end
    assert second.attempt.outcome is AttemptOutcome.RUNNING
    assert third.watch.process.pid == second.attempt.pid


def test_a_crash_with_an_exit_code_is_one_too(s: Scene) -> None:
    s.plan({"wait": 1, "exit": 1}, {"exit": 0})
    assert s.claude().end() == 0
    assert s.starts == [[], RESUMED]


def test_a_client_that_never_named_a_session_is_not_started_again(s: Scene) -> None:
    s.plan({"early": 1, "exit": 1})
    assert s.claude("--no-such-option").end() == 1
    assert len(s.starts) == 1
    assert reports(s) == []


def test_what_was_never_written_is_begun_again_under_its_id(s: Scene) -> None:
    s.plan({"unwritten": 1, "kill": 1}, {"exit": 0})
    assert s.claude("Sort the drawers").end() == 0
    assert s.starts == [["Sort the drawers"], ["--session-id", S]]


def test_a_transcript_without_a_message_is_put_aside(s: Scene) -> None:
    file = s.config / "projects" / "-p" / f"{S}.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text('{"type":"mode","mode":"normal"}\n{"type":"user","message":{"ro')
    s.plan({"unwritten": 1, "kill": 1}, {"exit": 0})
    assert s.claude().end() == 0
    assert s.starts == [[], ["--session-id", S]]
    (aside,) = (s.home / "supervision" / "transcripts").iterdir()
    assert aside.read_text().startswith('{"type":"mode"')


def test_a_resume_that_crashes_is_counted_until_a_person_has_to_see_to_it(s: Scene) -> None:
    keep(s, intensity=2, backoff_base_s=0.01, backoff_cap_s=0.02)
    s.plan({"kill": 1}, {"early": 1, "exit": 1}, {"early": 1, "exit": 1}, {"exit": 0})
    terminal = s.claude()
    terminal.until("3 failures within 60 s of running, 2 are allowed")
    assert len(s.starts) == 3
    terminal.type("\n")
    assert terminal.end() == 0
    told = [one.end.decision.step for one in reports(s) if one.end and not one.attempt]
    assert told[:3] == [Step.RESTART, Step.RESTART, Step.ESCALATE]


def test_a_person_can_give_up_and_then_it_is_not_offered_either(s: Scene) -> None:
    keep(s, intensity=1, cool_down_s=600)
    s.plan({"kill": 1}, {"kill": 1})
    terminal = s.claude()
    terminal.until("Ctrl-C: not at all")
    terminal.type("\x03")
    assert terminal.end() == -signal.SIGKILL
    assert reports(s)[-1].dismissed
    assert Store(s.home).tended() == []


def test_a_session_that_is_asked_for_from_elsewhere_does_not_wait(s: Scene) -> None:
    keep(s, intensity=1, cool_down_s=600)
    s.plan({"kill": 1}, {"kill": 1}, {"exit": 0})
    terminal = s.claude()
    terminal.until("Ctrl-C: not at all")
    Store(s.home).ask_for(S)
    assert terminal.end() == 0


def test_asked_to_end_while_it_waits_it_leaves_the_session_to_be_offered(s: Scene) -> None:
    keep(s, intensity=1, cool_down_s=600)
    s.plan({"kill": 1}, {"kill": 1})
    terminal = s.claude()
    terminal.until("Ctrl-C: not at all")
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.end() == -signal.SIGTERM
    known = Store(s.home).tended_session(S)
    assert known is not None
    assert known.is_wanted_back
    assert not known.has_living_run(datetime.now(UTC))


def test_a_usage_limit_is_waited_for(s: Scene) -> None:
    s.plan({"limit": 1, "wait": 1, "exit": 1}, {"exit": 0})
    terminal = s.claude()
    terminal.until("a usage limit is reached; it resets then")
    terminal.type("\n")
    assert terminal.end() == 0
    ended = reports(s)[0].end
    assert ended is not None
    assert (ended.end.kind, ended.decision.step) == (EndKind.USAGE_LIMIT, Step.WAIT)
    assert 3500 < ended.decision.wait_s <= 3600


def test_a_policy_that_never_restarts_is_kept(s: Scene) -> None:
    keep(s, mode=RestartMode.NEVER)
    s.plan({"kill": 1})
    assert s.claude().end() == -signal.SIGKILL


def test_a_print_is_not_repeated_unless_the_policy_says_always(s: Scene) -> None:
    s.plan({"kill": 1})
    done = subprocess.run(s.command("--", str(s.root / "claude"), "-p", "hi"), env=s.environment, capture_output=True)
    assert done.returncode == -signal.SIGKILL
    keep(s, mode=RestartMode.ALWAYS)
    (s.config / "starts").unlink()
    s.plan({"kill": 1}, {"exit": 0})
    done = subprocess.run(s.command("--", str(s.root / "claude"), "-p", "hi"), env=s.environment, capture_output=True)
    assert done.returncode == 0
    assert s.starts == [["-p", "hi"], ["-p", *RESUMED, "--", "hi"]]


# --- what it leaves running


@pytest.mark.parametrize("ends", [True, False])
def test_tools_that_outlive_the_client_are_ended_or_kept_as_was_said(s: Scene, ends: bool) -> None:
    s.plan({"tool": 1, "kill": 1}, {"exit": 0})
    terminal = s.claude(options=("--tools", "end" if ends else "keep"))
    assert terminal.end() == 0
    tool = int((s.config / "tool").read_text())
    assert _runs(tool) is not ends
    assert ("ended 1 of 1 processes" if ends else f"kept what is still running from the session: {tool}") in (
        terminal.shown
    )


@pytest.mark.parametrize("answer", ["y", "n", "yes please"])
def test_the_person_is_asked_about_tools(s: Scene, answer: str) -> None:
    s.plan({"tool": 1, "kill": 1}, {"exit": 0})
    terminal = s.claude()
    terminal.until("[y/N]")
    terminal.type(f"{answer}\n")
    assert terminal.end() == 0
    assert _runs(int((s.config / "tool").read_text())) is (answer != "y")


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
