import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

from shim_common.embedded.identity import ProcessIdentity, StopStep

WAITS = "import sys; sys.stdin.read()"
IGNORES_SIGTERM = "import signal, sys; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); sys.stdin.read()"


def child(code: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-S", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def test_a_running_process_has_one_identity() -> None:
    assert ProcessIdentity.of(os.getpid()) == ProcessIdentity.of(os.getpid())
    assert ProcessIdentity.of(os.getpid()).is_alive


def test_a_process_that_does_not_exist_has_none() -> None:
    with child("") as process:
        process.wait()
    with pytest.raises(ProcessLookupError):
        ProcessIdentity.of(process.pid)


def test_a_zombie_is_gone() -> None:
    with child(WAITS) as process:
        identity = ProcessIdentity.of(process.pid)
        process.kill()
        assert identity.wait(5)
        assert process.returncode is None  # not reaped: the pid still exists


def test_a_pid_used_again_is_not_signalled() -> None:
    with child(WAITS) as process:
        before = replace(ProcessIdentity.of(process.pid), birth="earlier")
        assert not before.is_alive
        assert before.stop([StopStep(signal.SIGKILL, 1)])
        assert process.poll() is None
        process.kill()


def test_stopping_goes_on_until_it_is_gone() -> None:
    with child(IGNORES_SIGTERM) as process:
        assert process.stdout is not None
        process.stdout.readline()
        identity = ProcessIdentity.of(process.pid)
        assert not identity.stop([StopStep(signal.SIGTERM, 0.05)])
        assert identity.stop([StopStep(signal.SIGTERM, 0.05), StopStep(signal.SIGKILL, 5)])
        assert process.wait() == -signal.SIGKILL
