import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import pytest

SCRIPT = resources.files("shim_cli.hook") / "shim_hook.py"
ANSWER = b'{"hookSpecificOutput":{"additionalContext":"\xc3\xa9"}}'
SLACK = 0.7
"""Seconds for starting an interpreter on a busy machine."""


def http(
    body: bytes = ANSWER, status: bytes = b"200 OK", kind: bytes = b"application/json", length: int | None = None
) -> bytes:
    size = len(body) if length is None else length
    return b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s" % (status, kind, size, body)


@dataclass
class Server:
    """Takes connections and treats them in one manner."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list)


Manner = Callable[[socket.socket], None]


@contextmanager
def serving(manner: Manner) -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener.getsockname()[1])

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            if request := receive(connection):
                server.requests.append(request)
                with suppress(OSError):  # the script gives up first
                    manner(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):  # wakes the thread where nobody came
            socket.create_connection(("127.0.0.1", server.port)).close()
        thread.join()
        listener.close()


def receive(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        if not (chunk := connection.recv(65536)):
            return b""
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    size = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    while len(body) < size:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@dataclass
class Done:
    stdout: bytes
    stderr: bytes
    code: int
    seconds: float


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "ingest.key"
    file.write_text("shim_secret\n")
    return file


def run(
    port: int, key_file: Path, event: str = "SessionStart", payload: bytes = b"{}", *more: str, **environ: str
) -> Done:
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-E", str(SCRIPT), str(port), event, str(key_file), *more],
        input=payload,
        capture_output=True,
        env={"PATH": os.environ["PATH"], **environ},
        check=False,
        timeout=20,
    )
    return Done(done.stdout, done.stderr, done.returncode, time.monotonic() - began)


def sends(answer: bytes) -> Manner:
    return lambda connection: connection.sendall(answer)


def hangs(connection: socket.socket) -> None:
    connection.recv(1)  # returns when the script hangs up


def drips(connection: socket.socket) -> None:
    for byte in http():
        connection.sendall(bytes([byte]))
        time.sleep(0.02)


def floods(connection: socket.socket) -> None:
    connection.sendall(http(b"", length=10**9))
    while True:
        connection.sendall(b"x" * 65536)


def test_the_answer_is_printed_and_nothing_else(key_file: Path) -> None:
    payload = b'{"prompt": "\xc3\xa9"}' + b" " * 300_000
    with serving(sends(http())) as server:
        done = run(server.port, key_file, "SessionStart", payload)
    assert (done.stdout, done.stderr, done.code) == (ANSWER, b"", 0)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert body == payload
    lines = head.split(b"\r\n")
    assert lines[0] == b"POST /v1/hooks/claude-code/SessionStart HTTP/1.1"
    assert b"Authorization: Bearer shim_secret" in lines
    assert not any(line.startswith(b"X-Shim-Client-Pid") for line in lines)


@pytest.mark.parametrize(("environ", "pid"), [({}, b"77"), ({"CLAUDE_PID": "55"}, b"55")])
def test_the_clients_pid_is_told(key_file: Path, environ: dict[str, str], pid: bytes) -> None:
    with serving(sends(http())) as server:
        run(server.port, key_file, "Stop", b"{}", "77", **environ)
    assert b"\r\nX-Shim-Client-Pid: " + pid + b"\r\n" in server.requests[0]


def test_a_pid_that_is_none_is_not_told(key_file: Path) -> None:
    with serving(sends(http())) as server:
        run(server.port, key_file, "Stop", b"{}", "", CLAUDE_PID="1\r\nX-Evil: 1")
    assert b"Evil" not in server.requests[0]


@pytest.mark.parametrize(
    "answer",
    [
        http(b"", status=b"204 No Content"),
        http(b'{"detail": "no"}', status=b"401 Unauthorized"),
        http(b'{"detail": "no"}', status=b"500 Internal Server Error"),
        http(b"<html>another program</html>", kind=b"text/html"),
        http(b"hello", kind=b"application/json"),
        http(ANSWER, length=10_000),
        b"HTTP/1.1 200 OK\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n{}",
        b"\r\n\r\n",
        b"\x00" * 1000,
        b"",
    ],
)
def test_what_is_no_answer_of_shims_is_not_printed(key_file: Path, answer: bytes) -> None:
    with serving(sends(answer)) as server:
        done = run(server.port, key_file)
    assert (done.stdout, done.stderr, done.code) == (b"", b"", 0)


@pytest.mark.parametrize("manner", [hangs, drips, floods])
def test_a_server_that_does_not_come_to_an_end_is_left(key_file: Path, manner: Manner) -> None:
    with serving(manner) as server:
        done = run(server.port, key_file)
    assert (done.stdout, done.stderr, done.code) == (b"", b"", 0)
    assert done.seconds < 0.3 + SLACK


def test_a_call_that_shim_may_hold_is_waited_for_longer(key_file: Path) -> None:
    def holds(connection: socket.socket) -> None:
        time.sleep(0.5)
        connection.sendall(http())

    with serving(holds) as server:
        assert run(server.port, key_file, "PreToolUse").stdout == ANSWER
    with serving(holds) as server:
        assert run(server.port, key_file, "PostToolUse").stdout == b""


def test_nobody_listening_costs_nothing(key_file: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    done = run(port, key_file, "PreToolUse")
    assert (done.stdout, done.stderr, done.code) == (b"", b"", 0)
    assert done.seconds < SLACK


def test_a_missing_key_or_argument_is_silent(tmp_path: Path, key_file: Path) -> None:
    done = run(1, tmp_path / "none")
    assert (done.stdout, done.code) == (b"", 0)
    empty = subprocess.run([sys.executable, "-I", str(SCRIPT)], input=b"", capture_output=True, check=False)
    assert (empty.stdout, empty.stderr, empty.returncode) == (b"", b"", 0)


def test_a_payload_over_the_limit_is_not_sent(key_file: Path) -> None:
    with serving(sends(http())) as server:
        done = run(server.port, key_file, "PostToolUse", b"x" * (16 * 1024 * 1024 + 1))
        assert (done.stdout, done.code) == (b"", 0)
        assert server.requests == []
