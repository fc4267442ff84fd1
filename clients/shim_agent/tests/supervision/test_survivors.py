import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import psutil
import pytest

from shim_agent.supervision import survivors
from shim_common.contracts.sessions import ToolProcess

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(300)"


@pytest.fixture
def tool() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "300"]) as process:
        yield process
        process.kill()


def described(pid: int, *, off: float = 0) -> ToolProcess:
    return ToolProcess(pid=pid, created=psutil.Process(pid).create_time() + off, command="sleep")


def test_a_tool_is_known_by_pid_and_age(tool: "subprocess.Popen[bytes]") -> None:
    now = datetime.now(UTC)
    assert [one.pid for one in survivors.still_running([described(tool.pid)], now)] == [tool.pid]
    assert survivors.still_running([described(tool.pid, off=-100)], now) == [], "the pid is another's now"


def test_tools_end_when_they_are_asked_to(tool: "subprocess.Popen[bytes]") -> None:
    assert survivors.end([psutil.Process(tool.pid)]) == []
    assert not psutil.pid_exists(tool.pid)


def test_tools_that_do_not_listen_end_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(survivors, "POLITE_SECONDS", 0.2)
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert survivors.end([psutil.Process(process.pid)]) == []
        assert not psutil.pid_exists(process.pid)
