"""`shim run` on a terminal of the test's own, with a stand-in for the client that does what the test wants."""

import json
import os
import pty
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

S = "4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"
PATIENCE = 20.0
COMMAND = Path(sys.executable).with_name("shim")

CLIENT = f"""#!{sys.executable} -ISE
import json, os, pathlib, signal, subprocess, sys, time
here = pathlib.Path(os.environ["CLAUDE_CONFIG_DIR"])
with open(here / "starts", "a") as starts:
    starts.write(json.dumps(sys.argv[1:]) + "\\n")
number = len((here / "starts").read_text().splitlines())
todo = json.loads((here / "plan").read_text())[number - 1]
session = "{S}"
record = here / "sessions" / f"{{os.getpid()}}.json"
tick = pathlib.Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
if "early" not in todo:
    draft = record.with_suffix(".draft")
    draft.write_text(json.dumps({{"pid": os.getpid(), "sessionId": session, "procStart": tick}}))
    draft.rename(record)
    lines = here / "projects" / "-p" / f"{{session}}.jsonl"
    if "unwritten" not in todo:
        lines.parent.mkdir(parents=True, exist_ok=True)
        with open(lines, "a") as file:
            file.write(json.dumps({{"type": "user", "message": {{"role": "user", "content": "hi"}}}}) + "\\n")
            if "limit" in todo:
                words = f"limit reached|{{int(time.time() + 3600)}}"
                file.write(json.dumps({{"type": "assistant", "isApiErrorMessage": True, "error": "rate_limit",
                                       "message": {{"content": words}}}}) + "\\n")
if "tool" in todo:
    tool = subprocess.Popen(["sleep", "300"], start_new_session=True, stdin=subprocess.DEVNULL,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    (here / "tool").write_text(str(tool.pid))
print(f"client {{number}} is up", flush=True)
if "wait" in todo:
    time.sleep(0.5)
if "stay" in todo:
    signal.signal(signal.SIGTERM, lambda *_: (record.unlink(), os._exit(143)))
    signal.signal(signal.SIGHUP, lambda *_: (record.unlink(), os._exit(129)))
    while True:
        time.sleep(10)
if "kill" in todo:
    os.kill(os.getpid(), signal.SIGKILL)
record.unlink(missing_ok=True)
os._exit(todo.get("exit", 0))
"""


@dataclass
class Terminal:
    """A terminal with `shim run` on it."""

    pid: int
    descriptor: int
    shown: str = ""
    status: int | None = None

    def until(self, text: str) -> None:
        """Wait until this is shown."""
        self._read(lambda: text in self.shown, f"{text!r} is not shown")

    def type(self, keys: str) -> None:
        os.write(self.descriptor, keys.encode())

    def end(self) -> int:
        """Wait until the command has ended; return its exit code, negative for a signal."""
        self._read(lambda: self.status is not None, "it does not end")
        assert self.status is not None
        return os.waitstatus_to_exitcode(self.status)

    def _read(self, holds: Callable[[], bool], complaint: str) -> None:
        end = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < end, f"{complaint}: {self.shown}"
            ready, _, _ = select.select([self.descriptor], [], [], 0.02)
            data = b""
            if ready:
                try:
                    data = os.read(self.descriptor, 65536)
                except OSError:
                    time.sleep(0.01)  # the other side is closed
            self.shown += data.decode(errors="replace")
            if not data and self.status is None:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                self.status = status if pid else None

    def close(self) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.descriptor)


@dataclass
class Scene:
    """A private home, the stand-in, and terminals."""

    root: Path
    terminals: list[Terminal] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.root / "shim"

    @property
    def config(self) -> Path:
        return self.root / "claude-config"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "SHIM_HOME": str(self.home),
            "CLAUDE_CONFIG_DIR": str(self.config),
            "TERM": "xterm",
        }

    def plan(self, *todo: dict[str, object]) -> None:
        """Say what the client does: the first one, the second one ..."""
        (self.config / "plan").write_text(json.dumps(todo))

    @property
    def starts(self) -> list[list[str]]:
        """The arguments of every start so far."""
        file = self.config / "starts"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def command(self, *arguments: str) -> list[str]:
        return [str(COMMAND), "run", *arguments]

    def claude(self, *arguments: str, options: tuple[str, ...] = ()) -> Terminal:
        """Run the stand-in under `shim run` on a terminal."""
        return self.open(*options, "--", str(self.root / "claude"), *arguments)

    def open(self, *arguments: str) -> Terminal:
        pid, descriptor = pty.fork()
        if pid == 0:
            os.chdir(self.root)
            os.execve(COMMAND, self.command(*arguments), self.environment)
        self.terminals.append(Terminal(pid, descriptor))
        return self.terminals[-1]

    def client(self) -> psutil.Process:
        """Return the client that runs."""
        (file,) = (self.config / "sessions").glob("*.json")
        return psutil.Process(int(file.stem))


@contextmanager
def scene(root: Path) -> Iterator[Scene]:
    """Set one up; end what is left of it."""
    made = Scene(root)
    (made.config / "sessions").mkdir(parents=True)
    client = root / "claude"
    client.write_text(CLIENT)
    client.chmod(0o700)
    try:
        yield made
    finally:
        for terminal in made.terminals:
            terminal.close()
        tool = made.config / "tool"
        if tool.exists() and psutil.pid_exists(int(tool.read_text())):
            os.kill(int(tool.read_text()), signal.SIGKILL)
