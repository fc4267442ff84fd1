"""What systemd hears, on real sockets."""

import os
import socket
from pathlib import Path
from uuid import uuid4

import pytest

from shim_stack.service.notify import Notifier


def heard(address: str, facts: list[str]) -> bytes:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + address[1:] if address.startswith("@") else address)
        Notifier(address).tell(*facts)
        manager.settimeout(5)
        return manager.recv(4096)


def test_a_socket_with_a_path(tmp_path: Path) -> None:
    assert heard(str(tmp_path / "notify"), ["READY=1", "STATUS=up"]) == b"READY=1\nSTATUS=up"


def test_an_abstract_socket() -> None:
    assert heard(f"@shim-test-{uuid4()}", ["WATCHDOG=1"]) == b"WATCHDOG=1"


def test_nobody_listens(tmp_path: Path) -> None:
    Notifier().tell("READY=1")
    Notifier(str(tmp_path / "gone")).tell("READY=1")


def test_a_manager_that_does_not_read_is_not_waited_for(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        for _ in range(5000):  # more than any queue holds (net.unix.max_dgram_qlen)
            Notifier(address).tell("WATCHDOG=1")


@pytest.mark.parametrize(
    ("told", "watchdog"),
    [
        ({"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "1500000"}, 1.5),
        ({"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": str(os.getpid())}, 1.5),
        ({"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}, None),
        ({"NOTIFY_SOCKET": "@s", "WATCHDOG_USEC": "soon"}, None),
        ({"NOTIFY_SOCKET": "@s"}, None),
        ({"WATCHDOG_USEC": "1500000"}, None),
    ],
)
def test_what_systemd_told_is_taken_and_not_handed_on(told: dict[str, str], watchdog: float | None) -> None:
    environ = {"HOME": "/h"} | told
    assert Notifier.taken_from(environ) == Notifier(told.get("NOTIFY_SOCKET"), watchdog)
    assert environ == {"HOME": "/h"}
