"""What the user sees: up, down, status, logs."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from io import StringIO

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from shim_stack.commands import down, logs, status, up
from shim_stack.down import take_down
from shim_stack.errors import NewerData, StartFailed
from shim_stack.folder import DATA_VERSION, DataFolder
from shim_stack.record import ProcessRecord
from shim_stack.up import bring_up

from .stand_ins import DIES, STAYS, STUBBORN, Stack, eventually, row

cli = typer.Typer()
for command in (up, down, status, logs):
    cli.command()(command)


@pytest.fixture
def out() -> Console:
    return Console(file=StringIO(), width=200)


def text(out: Console) -> str:
    assert isinstance(out.file, StringIO)
    return out.file.getvalue()


def invoke(stack: Stack, *arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, arguments, env={"SHIM_HOME": str(stack.folder.path)})
    return result.exit_code, result.output


def test_up_shows_each_process_as_it_gets_ready(stack: Stack) -> None:
    stack.folder.open()
    with subprocess.Popen(
        stack.command(row("store"), row("service", after=["store"]), more=["--foreground"]),
        env=stack.environ, stdout=subprocess.PIPE, text=True,
    ) as runner:  # fmt: skip
        assert runner.stdout is not None
        lines = [runner.stdout.readline().split() for _ in range(3)]
        assert [" ".join(line[:3]) for line in lines] == ["store ready in", "service ready in", "SHIM is up"]
        stack.record()
        runner.send_signal(signal.SIGINT)
        assert runner.wait(10) == 0
    assert not any(identity.is_alive for identity in stack.seen)


def test_a_failed_start_shows_the_end_of_the_log(stack: Stack, out: Console) -> None:
    with pytest.raises(StartFailed, match=r"service does not come up: .*exit code 7") as failed:
        bring_up(stack.folder, stack.environ, out, stack.command(row("service", DIES)))
    assert str(stack.folder.logs / "service.log") in str(failed.value)
    assert "| no room for me" in text(out)


def test_a_runner_that_dies_without_a_word_is_a_failed_start(stack: Stack, out: Console) -> None:
    with pytest.raises(StartFailed) as failed:
        bring_up(stack.folder, stack.environ, out, stack.command(more=["--unknown"]))
    assert failed.value.process == "runner"
    assert "unrecognized arguments" in text(out)


def test_down_stops_everything_and_says_what(stack: Stack) -> None:
    stack.start(row("store"), row("service", after=["store"]))
    expected = [f"  stopped {name} (pid {stack.process(name).pid})" for name in ("service", "store")]
    code, shown = invoke(stack, "down")
    assert code == 0
    assert shown.splitlines()[:2] == expected
    assert not any(identity.is_alive for identity in stack.seen)
    stack.started[-1].process.wait()
    assert invoke(stack, "down") == (0, "SHIM was not running.\n")


def test_down_works_when_the_runner_was_killed(stack: Stack) -> None:
    stack.start(row("service", STUBBORN, grace=0.2))
    survivor = stack.process("service").identity
    stack.stop_runner(signal.SIGKILL)
    stopped: list[ProcessRecord] = []
    assert take_down(stack.folder, stopped.append)
    assert [process.identity for process in stopped] == [survivor]
    assert not survivor.is_alive


def test_status_of_a_stack_with_a_process_down_is_3(stack: Stack) -> None:
    stack.start(row("store"))
    # Ready once, then dying at once: the file it would make is a folder.
    ready = stack.folder.path / "run" / "store.ready"
    ready.unlink()
    ready.mkdir()
    stack.process("store").identity.send(signal.SIGKILL)
    eventually(lambda: stack.process("store").state == "restarting")
    assert invoke(stack, "status")[0] == 3


def test_status_of_a_killed_stack_is_3(stack: Stack) -> None:
    stack.start(row("store"))
    stack.stop_runner(signal.SIGKILL)
    code, shown = invoke(stack, "status")
    assert code == 3
    assert "not running" in shown


def test_status_where_nothing_ever_ran_is_3(stack: Stack) -> None:
    assert invoke(stack, "status")[0] == 3
    assert not stack.folder.path.exists()


def test_an_older_shim_refuses_newer_data(folder: DataFolder, out: Console) -> None:
    folder.open()
    (folder.path / "version").write_text(f"{DATA_VERSION + 1}\n")
    with pytest.raises(NewerData, match="newer SHIM"):
        bring_up(folder, dict(os.environ), out)


def test_up_leaves_the_stack_running(stack: Stack, out: Console) -> None:
    table = [row("store"), row("service", after=["store"])]
    try:
        assert bring_up(stack.folder, stack.environ, out, stack.command(*table))
        assert text(out).count("ready in") == len(table)
        assert "SHIM is up after" in text(out)
        assert stack.record().is_live
        assert not bring_up(stack.folder, stack.environ, out, stack.command(*table))
    finally:
        assert take_down(stack.folder, lambda _: None)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack that is up, for tests that only look."""
    stack = Stack(DataFolder(tmp_path_factory.mktemp("up") / "home"))
    talks = "print('from the service', flush=True); " + STAYS
    stack.start(row("store"), row("service", talks, after=["store"]), more=["--port", str(free_port())])
    yield stack
    stack.end()


def test_running_twice_says_so_and_shows_the_status(standing: Stack) -> None:
    code, shown = invoke(standing, "up")
    assert code == 0
    assert "runs already" in shown
    assert str(standing.process("store").pid) in shown


def test_status_shows_what_runs(standing: Stack) -> None:
    code, shown = invoke(standing, "status")
    assert code == 0
    url = standing.record().url
    for word in ("runner", "store", "service", "ready", "MiB", url, str(standing.folder.path)):
        assert word is not None
        assert word in shown
    assert str(standing.process("service").pid) in shown


def test_logs_of_one_and_of_all(standing: Stack) -> None:
    assert invoke(standing, "logs", "service", "-n", "1") == (0, "from the service\n")
    code, shown = invoke(standing, "logs")
    assert code == 0
    assert "service | from the service" in shown
    assert "runner  | " in shown


def test_a_log_that_is_not_there_is_an_error(standing: Stack) -> None:
    code, _ = invoke(standing, "logs", "three")
    assert code != 0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
