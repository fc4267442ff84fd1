"""The runner as a process, with stand-ins for the programs."""

import os
import signal
import socket
import subprocess
import sys

import pytest

from shim_stack.progress import Step

from .stand_ins import DIES, HANGS, SAYS_GOODBYE, STAYS, STUBBORN, Stack, eventually, row

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")


def kinds(steps: list[Step], process: str) -> list[str]:
    return [step.kind for step in steps if step.process == process]


def test_programs_start_after_what_they_need_and_stop_in_reverse(stack: Stack) -> None:
    steps = stack.start(
        row("store", SAYS_GOODBYE),
        row("service", SAYS_GOODBYE, after=["store"]),
        row("agent", SAYS_GOODBYE, after=["service"]),
    )
    assert [(step.kind, step.process) for step in steps] == [
        ("starting", "store"), ("ready", "store"),
        ("starting", "service"), ("ready", "service"),
        ("starting", "agent"), ("ready", "agent"),
        ("up", ""),
    ]  # fmt: skip
    record = stack.record()
    assert record.is_live
    assert record.ready_at is not None
    assert [process.state for process in record.processes] == ["ready"] * 3
    assert stack.stop_runner() == 0
    assert (stack.folder.path / "goodbyes").read_text().split() == ["agent", "service", "store"]
    assert not any(identity.is_alive for identity in stack.seen)
    assert stack.record().processes == ()
    assert not stack.folder.is_owned


def test_a_process_that_dies_is_started_again(stack: Stack) -> None:
    stack.start(row("store"), row("service", after=["store"]))
    killed, other = stack.process("service"), stack.process("store")
    killed.identity.send(signal.SIGKILL)
    eventually(lambda: stack.process("service").restarts == 1 and stack.process("service").state == "ready")
    again = stack.process("service")
    assert again.identity != killed.identity
    assert again.identity.is_alive
    assert again.last_exit == "ended with SIGKILL"
    assert stack.process("store") == other


def test_a_program_that_cannot_start_fails_the_stack(stack: Stack) -> None:
    steps = stack.start(row("store"), row("service", DIES, after=["store"]), row("agent", after=["service"]))
    assert steps[-1].kind == "failed"
    assert steps[-1].process == "service"
    assert "exit code 7" in steps[-1].text
    assert kinds(steps, "agent") == []
    assert stack.started[-1].process.wait(10) == 1
    assert not any(identity.is_alive for identity in stack.seen)
    assert "no room for me" in (stack.folder.logs / "service.log").read_text()


def test_a_program_that_hangs_fails_the_stack(stack: Stack) -> None:
    steps = stack.start(row("service", HANGS, ready_seconds=0.3))
    assert steps[-1].kind == "failed"
    assert "not ready" in steps[-1].text
    assert stack.started[-1].process.wait(10) == 1
    assert not any(identity.is_alive for identity in stack.seen)


def test_a_second_runner_leaves_the_first_alone(stack: Stack) -> None:
    stack.start(row("store"))
    before = stack.record()
    assert [step.kind for step in stack.start(row("store"))] == ["already_running"]
    assert stack.record() == before
    assert before.processes[0].identity.is_alive


def test_a_program_that_will_not_stop_is_killed(stack: Stack) -> None:
    stack.start(row("service", STUBBORN, grace=0.2))
    identity = stack.process("service").identity
    assert stack.stop_runner() == 0
    assert not identity.is_alive


def test_a_stop_during_the_start_stops_what_was_started(stack: Stack) -> None:
    stack.folder.open()
    with subprocess.Popen(
        stack.command(row("store"), row("service", HANGS, after=["store"]), more=["--foreground"]),
        env=stack.environ, stdout=subprocess.PIPE,
    ) as runner:  # fmt: skip
        eventually(lambda: stack.folder.run_record.exists() and stack.process("service"))
        runner.send_signal(signal.SIGINT)
        assert runner.wait(10) == 0
    assert not any(identity.is_alive for identity in stack.seen)


@needs_linux
def test_children_end_with_a_killed_runner_and_the_next_run_is_clean(stack: Stack) -> None:
    stack.start(row("store"), row("service", after=["store"]))
    stack.stop_runner(signal.SIGKILL)
    eventually(lambda: not any(identity.is_alive for identity in stack.seen))
    assert not stack.record().is_live
    assert stack.start(row("store"), row("service", after=["store"]))[-1].kind == "up"


def test_what_a_killed_runner_left_behind_is_stopped(stack: Stack) -> None:
    stack.start(row("service", STUBBORN, grace=0.2))
    survivor = stack.process("service").identity
    stack.stop_runner(signal.SIGKILL)
    assert survivor.is_alive
    steps = stack.start(row("service"))
    assert steps[0].kind == "note"
    assert f"pid {survivor.pid}" in steps[0].text
    assert steps[-1].kind == "up"
    assert not survivor.is_alive


def test_a_taken_port_is_named_with_its_owner_and_a_way_out(stack: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        step = stack.start(row("service"), more=["--port", str(port)])[-1]
    assert step.kind == "failed"
    assert f"127.0.0.1:{port}" in step.text
    assert f"pid {os.getpid()}" in step.text
    assert "--port" in step.text


def test_children_are_private_and_apart(stack: Stack) -> None:
    code = "import os; print(oct(os.umask(0)), os.getcwd(), os.getsid(0) == os.getpid(), flush=True); "
    stack.start(row("service", code + STAYS))
    log = stack.folder.logs / "service.log"
    assert log.read_text() == "0o77 / True\n"
    assert log.stat().st_mode & 0o077 == 0
    assert stack.folder.run_record.stat().st_mode & 0o077 == 0
