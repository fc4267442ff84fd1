"""The whole SHIM as a user starts it, in a data folder of its own, gone afterwards whatever becomes of the tests."""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shim_cli.api import Api
from shim_mcp.api import HttpApi
from shim_stack.record import read_record

COMMAND = Path(sys.executable).with_name("shim")
PORTS = range(20_000, 32_000)
"""Below the ports that systems give to outgoing connections: a stack that was stopped finds its port free again."""

GUARD = 'cat > /dev/null; "$0" down; rm -rf "$1"'
"""Waits for the end of its input, which comes when the tests end in any way, and clears up."""


@dataclass(frozen=True)
class Stack:
    """A data folder, the port of the gateway on it, and the `shim` command."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which the command means this stack."""
        return {**os.environ, "SHIM_HOME": str(self.home)}

    def run(self, *arguments: str | Path, environment: Mapping[str, str] | None = None) -> str:
        """Run `shim` with these arguments and return what it prints. Raises RuntimeError with that if it fails."""
        done = subprocess.run(
            [COMMAND, *arguments],
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(f"shim {' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def up(self) -> None:
        """Start it."""
        self.run("up", "--no-demo", "--port", str(self.port))

    def down(self) -> None:
        """Stop it."""
        self.run("down")

    def api(self) -> HttpApi:
        """Return a way to ask it, with every right."""
        return HttpApi(self.url, self._key)

    def cli_api(self) -> Api:
        """Return the same, with the files that the command line knows of."""
        return Api(self.url, self._key())

    def logged(self, word: str) -> str:
        """Return the lines of all logs that hold `word`: what to look at when a test fails."""
        logs = sorted((self.home / "logs").glob("*.log"))
        return "".join(f"{log.stem}: {line}\n" for log in logs for line in log.read_text().splitlines() if word in line)

    @contextmanager
    def hung(self) -> Iterator[None]:
        """Let the gateway accept connections and answer none of them, for the length of a block."""
        gateway = self._pid("gateway")
        os.kill(gateway, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(gateway, signal.SIGCONT)

    def _key(self) -> str:
        return (self.home / "keys" / "admin.key").read_text().strip()

    def _pid(self, name: str) -> int:
        record = read_record(self.home / "run.json")
        if record is None:
            raise RuntimeError(f"nothing runs on {self.home}")
        return next(process.pid for process in record.processes if process.name == name)


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Start a stack in a folder of its own; stop it and remove the folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="shim-client-"))
    folder.chmod(0o711)  # the user Postgres runs as gets through, others see nothing
    stack = Stack(folder / "shim", free_port())
    with subprocess.Popen(
        ["sh", "-c", GUARD, COMMAND, folder],
        env=stack.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C ends the tests; the end of the tests ends the stack
    ) as guard:
        try:
            stack.up()
            yield stack
        finally:
            if guard.stdin:
                guard.stdin.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("every port is taken")
