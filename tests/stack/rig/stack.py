"""A stack of the tests' own: started, killed and stopped as a user would, gone afterwards whatever happens."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil

from shim_cli.api import Api
from shim_common.embedded.identity import ProcessIdentity, StopStep
from shim_stack.record import ProcessRecord, RunRecord, read_record

SHIM = (str(Path(sys.executable).with_name("shim")),)
COMMAND_SECONDS = 120.0
PORTS = range(20_000, 30_000)
KILL = (StopStep(signal.SIGKILL, 10.0),)

KeyName = Literal["admin", "agent", "ingest"]


@dataclass(frozen=True)
class Ran:
    """A `shim` command that has ended; `output` is what it wrote, errors included."""

    code: int
    output: str


@dataclass(frozen=True)
class User:
    """Another user to run as, and with which interpreter."""

    uid: int
    gid: int
    command: tuple[str, ...]


@dataclass(frozen=True)
class Stack:
    """A stack on a data folder of its own. Nothing of it needs to run."""

    home: Path
    port: int
    more: Mapping[str, str] = field(default_factory=dict)
    user: User | None = None

    @property
    def environ(self) -> dict[str, str]:
        """What its commands are told."""
        return dict(os.environ) | {"SHIM_HOME": str(self.home)} | dict(self.more)

    @property
    def url(self) -> str:
        """The gateway's address."""
        return f"http://127.0.0.1:{self.port}"

    def shim(self, *arguments: str) -> Ran:
        """Run a `shim` command to its end."""
        done = subprocess.run(
            [*(self.user.command if self.user else SHIM), *arguments],
            env=self.environ,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
            user=self.user.uid if self.user else None,
            group=self.user.gid if self.user else None,
            extra_groups=[] if self.user else None,
        )
        return Ran(done.returncode, done.stdout)

    def up(self, *options: str) -> Ran:
        """Start it; fail with everything it said where it does not come up."""
        ran = self.shim("up", "--no-demo", "--port", str(self.port), *options)
        assert ran.code == 0, f"{ran.output}\n{self._last_words()}"
        return ran

    def key(self, name: KeyName = "admin") -> str:
        """A key that the stack made."""
        return (self.home / "keys" / f"{name}.key").read_text().strip()

    def api(self, name: KeyName = "admin") -> Api:
        """A new connection to its API."""
        return Api(self.url, self.key(name))

    @property
    def record(self) -> RunRecord:
        """What runs, or last ran."""
        return read_record(self.home / "run.json") or RunRecord()

    def process(self, name: str) -> ProcessRecord:
        """The process of this name; fails where there is none."""
        return next(process for process in self.record.processes if process.name == name)

    def kill(self, name: str) -> None:
        """End one process with SIGKILL and see it gone."""
        assert self.process(name).identity.stop(KILL), f"{name} does not die"

    def kill_everything(self) -> list[ProcessIdentity]:
        """End all of it with SIGKILL, the runner first and every child's child too, as a power cut would."""
        doomed = self.identities()
        for identity in doomed:
            identity.send(signal.SIGKILL)
        for identity in doomed:
            assert identity.wait(10.0), f"{identity} does not die"
        return doomed

    def identities(self) -> list[ProcessIdentity]:
        """Every process of it, the runner first."""
        record = self.record
        roots = [process.pid for process in (record.runner, *record.processes) if process is not None]
        pids = [pid for root in roots for pid in (root, *_children(root))]
        return [identity for pid in dict.fromkeys(pids) for identity in _identity(pid)]

    def _last_words(self) -> str:
        logs = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-2000:]}" for path in logs)


@contextmanager
def stack_folder(below: str = "home") -> Iterator[tuple[Path, Path]]:
    """A folder that every user may pass through, and the data folder of a stack in it; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="shim-stack-"))
    folder.chmod(0o711)
    home = folder / below
    script = Path(__file__).with_name("undertaker.py")
    with subprocess.Popen(
        [sys.executable, "-P", str(script), str(folder), str(home)], stdin=subprocess.PIPE, start_new_session=True
    ) as undertaker:
        try:
            yield folder, home
        finally:
            assert undertaker.stdin is not None
            undertaker.stdin.close()
            code = undertaker.wait(COMMAND_SECONDS)
    assert code == 0, "not everything could be removed; see above"
    assert not folder.exists(), f"{folder} is still there: {shutil.disk_usage(folder)}"


@contextmanager
def open_home() -> Iterator[Path]:
    """A data folder that is open to the user Postgres runs as, so that everything lies in it."""
    with stack_folder() as (_, home):
        home.mkdir(mode=0o711)
        yield home


def free_port() -> int:
    """A port that nothing listens on now.

    Not one that the system gives to clients: one that connects again and again to a server that is down would sooner or
    later be given that very port, and reach itself.
    """
    while True:
        port = random.SystemRandom().choice(PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _identity(pid: int) -> Iterator[ProcessIdentity]:
    try:
        yield ProcessIdentity.of(pid)
    except ProcessLookupError:
        return
