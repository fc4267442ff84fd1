"""What starting, starting again, a port that is taken, and looking at it say."""

import stat

import psutil
import pytest

from shim_common.embedded.run_folder import fits_sockets

from .rig.stack import Stack

pytestmark = pytest.mark.stack

PROCESSES = {"postgres", "valkey", "services", "gateway", "agent"}


def test_it_comes_up_in_a_closed_folder_under_a_very_long_path(stack: Stack) -> None:
    assert not fits_sockets(stack.home / "run")
    assert stat.S_IMODE(stack.home.stat().st_mode) == 0o700

    record = stack.record
    assert {process.name for process in record.processes} == PROCESSES
    assert record.run_folder is not None
    assert fits_sockets(record.run_folder)
    keys = list((stack.home / "keys").iterdir())
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys if key.is_file()} == {0o600}


def test_starting_it_twice_says_so_and_changes_nothing(stack: Stack) -> None:
    before = stack.identities()
    again = stack.shim("up", "--no-demo")

    assert again.code == 0
    assert "runs already" in again.output
    assert stack.url in again.output
    assert set(before) <= set(stack.identities())


def test_a_taken_port_is_named_with_its_owner(stack: Stack, fresh: Stack) -> None:
    ran = fresh.shim("up", "--no-demo", "--port", str(stack.port))

    assert ran.code == 1
    said = " ".join(ran.output.split())
    assert f"127.0.0.1:{stack.port} cannot be used" in said
    assert f"(pid {stack.process('gateway').pid}) listens there" in said
    assert f"shim up --port {stack.port + 1}" in said
    assert fresh.record.processes == ()


def test_status_is_0_and_shows_every_process(stack: Stack) -> None:
    ran = stack.shim("status")

    assert ran.code == 0
    for process in stack.record.processes:
        assert f"{process.name} " in ran.output
        assert str(process.pid) in ran.output
    assert stack.url in ran.output
    assert str(stack.home) in ran.output


def test_logs_show_every_process(stack: Stack) -> None:
    ran = stack.shim("logs", "-n", "50")

    assert ran.code == 0
    assert "runner   | " in ran.output
    assert "ready to accept connections" in ran.output


def test_nothing_but_the_gateway_listens_on_the_network(stack: Stack) -> None:
    pids = {identity.pid for identity in stack.identities()}
    listening = {
        tuple(connection.laddr)
        for connection in psutil.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.pid in pids
    }

    assert listening == {("127.0.0.1", stack.port)}
