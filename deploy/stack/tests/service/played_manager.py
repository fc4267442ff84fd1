"""Plays systemd to a process: starts it with a notify socket and hears what it says."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Started:
    """A process that was started as systemd would."""

    process: "subprocess.Popen[bytes]"
    channel: socket.socket

    def hear(self, fact: str, seconds: float = 10.0) -> list[str]:
        """Wait for a message with `fact`, and return everything said until then."""
        said: list[str] = []
        deadline = time.monotonic() + seconds
        while fact not in said:
            left = deadline - time.monotonic()
            assert left > 0, f"{fact} was not said; only {said}"
            self.channel.settimeout(left)
            said += self.channel.recv(4096).decode().splitlines()
        return said

    def hear_no(self, fact: str, seconds: float) -> None:
        """See that `fact` is not said for `seconds`."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self.channel.settimeout(left)
            try:
                assert fact not in self.channel.recv(4096).decode().splitlines()
            except TimeoutError:
                return

    def drain(self) -> None:
        """Forget what was said already."""
        self.channel.settimeout(0)
        try:
            while True:
                self.channel.recv(4096)
        except BlockingIOError:
            return


@contextmanager
def started(command: Sequence[str], home: Path, watchdog: float) -> Iterator[Started]:
    """Run `command` for the length of a block; what is left of it is killed."""
    address = home.parent / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(address))
        told = {
            "SHIM_HOME": str(home),
            "NOTIFY_SOCKET": str(address),
            "WATCHDOG_USEC": str(int(watchdog * 1e6)),
        }
        with subprocess.Popen(command, env=os.environ | told) as process:
            try:
                yield Started(process, channel)
            finally:
                if process.poll() is None:
                    process.terminate()
                    try:
                        process.wait(60)
                    finally:
                        process.kill()
