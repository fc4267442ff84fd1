"""The real runner under a manager that is played, with stand-ins for the programs; and once with the whole stack."""

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from shim_stack.record import read_record

from ..stand_ins import DIES, SAYS_GOODBYE, STAYS, Stack, eventually, row
from .played_manager import Started, started

WATCHDOG = 0.6
SHOWS_ENVIRONMENT = "import os; print(*(n for n in os.environ if n.startswith(('NOTIFY', 'WATCHDOG')))); " + STAYS


@contextmanager
def service(stack: Stack, *table: dict[str, object], watchdog: float = WATCHDOG) -> Iterator[Started]:
    stack.folder.open()
    script = Path(__file__).with_name("stand_in_service.py")
    with started([sys.executable, str(script), json.dumps(table)], stack.folder.path, watchdog) as one:
        yield one


def test_ready_is_said_once_all_is_up_and_signs_of_life_follow(stack: Stack) -> None:
    with service(stack, row("store"), row("agent", SHOWS_ENVIRONMENT, after=["store"])) as one:
        said = one.hear("READY=1")
        assert said[:2] == ["STATUS=starting store", "STATUS=starting agent"]
        assert "WATCHDOG=1" not in said
        began = time.monotonic()
        for _ in range(4):
            assert "STATUS=up at http://here" in one.hear("WATCHDOG=1")
        assert time.monotonic() - began < 4 * WATCHDOG
        stack.record()
        one.process.terminate()
        one.hear("STOPPING=1")
        assert one.process.wait(10) == 0
    assert (stack.folder.logs / "agent.log").read_text() == "\n"  # the children are told nothing of the manager


def test_signs_of_life_cease_while_a_process_hangs(stack: Stack) -> None:
    with service(stack, row("store"), row("agent", after=["store"])) as one:
        one.hear("WATCHDOG=1")
        agent = stack.process("agent").identity
        agent.send(signal.SIGSTOP)
        one.hear("STATUS=agent hangs")
        one.hear_no("WATCHDOG=1", 2 * WATCHDOG)
        agent.send(signal.SIGCONT)
        one.hear("WATCHDOG=1")


def test_a_process_that_does_not_answer_hangs_though_it_runs(stack: Stack) -> None:
    with service(stack, row("store")) as one:
        one.hear("WATCHDOG=1")
        (stack.folder.path / "run" / "store.ready").unlink()  # what its probe looks for
        one.hear("STATUS=store hangs")
        one.hear_no("WATCHDOG=1", 2 * WATCHDOG)


def test_a_process_that_dies_is_the_runners_business(stack: Stack) -> None:
    with service(stack, row("store")) as one:
        one.hear("WATCHDOG=1")
        stack.process("store").identity.send(signal.SIGKILL)
        eventually(lambda: stack.process("store").restarts == 1)
        one.drain()
        assert not any("hangs" in fact for fact in one.hear("WATCHDOG=1"))


def test_the_end_is_announced_before_the_processes_are_stopped(stack: Stack) -> None:
    with service(stack, row("store", SAYS_GOODBYE)) as one:
        one.hear("READY=1")
        stack.record()
        one.process.terminate()
        one.hear("STOPPING=1")
        assert one.process.wait(10) == 0
        one.hear_no("WATCHDOG=1", WATCHDOG)
    assert (stack.folder.path / "goodbyes").read_text() == "store "
    assert not any(identity.is_alive for identity in stack.seen)


def test_a_start_that_fails_says_why(stack: Stack) -> None:
    with service(stack, row("store", DIES)) as one:
        assert one.process.wait(10) == 1
        one.channel.settimeout(1)
        assert "exit code 7" in one.channel.recv(4096).decode() + one.channel.recv(4096).decode()


def test_a_folder_that_another_runner_has_is_left_alone(stack: Stack) -> None:
    stack.start(row("store"))
    before = stack.record()
    with service(stack, row("store")) as one:
        assert one.process.wait(10) == 75
    assert stack.record() == before


@pytest.fixture
def whole_home(tmp_path: Path) -> Iterator[Path]:
    """A data folder for the whole stack, whose database may lie elsewhere."""
    home = tmp_path / "home"
    yield home
    record = read_record(home / "run.json")
    data = record.data_folders.get("postgres") if record is not None else None
    if data is not None and not data.is_relative_to(home):
        shutil.rmtree(data.parent)


@pytest.mark.stack
@pytest.mark.skipif(sys.platform != "linux", reason="the service tells systemd alone")
def test_the_whole_stack_under_a_watchdog(whole_home: Path) -> None:
    watchdog = 1.5
    with socket.create_server(("127.0.0.1", 0)) as probe:
        bind = f"127.0.0.1:{probe.getsockname()[1]}"
    command = ["/usr/bin/env", f"SHIM_BIND={bind}", sys.executable, "-P", "-m", "shim_stack.service"]
    with started(command, whole_home, watchdog) as one:
        assert "STATUS=starting gateway" in one.hear("READY=1", 90)
        record = read_record(whole_home / "run.json")
        assert record is not None
        assert record.runner is not None
        assert record.runner.pid == one.process.pid
        for _ in range(3):
            assert f"STATUS=up at http://{bind}" in one.hear("WATCHDOG=1")
        gateway = next(process for process in record.processes if process.name == "gateway").identity
        gateway.send(signal.SIGSTOP)
        eventually(lambda: psutil.Process(gateway.pid).status() == psutil.STATUS_STOPPED)
        one.drain()
        one.hear("STATUS=gateway hangs")
        one.hear_no("WATCHDOG=1", 2 * watchdog)
        gateway.send(signal.SIGCONT)
        one.hear("WATCHDOG=1")
        os.kill(one.process.pid, signal.SIGTERM)
        one.hear("STOPPING=1")
        assert one.process.wait(60) == 0
    assert not any(process.identity.is_alive for process in record.processes)
