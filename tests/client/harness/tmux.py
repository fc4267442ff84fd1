"""Commands in windows of a tmux of the test's own: the terminal that a person has, with a screen to look at."""

import asyncio
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from .eventually import eventually
from .terminal import BETWEEN_KEYS

COLUMNS, ROWS = 140, 50
ENDING = "[ended with "
ENDED = re.compile(r"\[ended with (\d+)\]")
SHELL = f"""trap : INT; "$@"; echo "{ENDING}$?]" """
"""Says how the command ended: tmux itself forgets now and then (seen in 3.3a)."""

PATIENCE = 20.0
"""Seconds in which a client that is asked to leave has gone."""

SCROLLED_BACK = 500
"""Lines above the screen that are looked at too."""


def is_installed() -> bool:
    """Say whether there is a tmux."""
    return shutil.which("tmux") is not None


@dataclass(frozen=True)
class Window:
    """A window with a shell that runs one command; `pid` is the shell's. It stays when the command has ended."""

    tmux: "Tmux"
    pane: str
    pid: int

    @property
    def shown(self) -> str:
        """What the screen shows, and what was scrolled off it."""
        return self.tmux.do("capture-pane", "-p", "-J", "-S", f"-{SCROLLED_BACK}", "-t", self.pane)

    @property
    def is_alternate(self) -> bool:
        """Whether the command shows a screen of its own, behind which all that was printed before waits."""
        return self.tmux.do("display-message", "-p", "-t", self.pane, "#{alternate_on}").strip() == "1"

    async def until(self, *texts: str) -> None:
        """Wait until the screen shows all of these, in this order. Raises TimeoutError with all that it shows."""

        def look() -> bool:
            rest = self.shown
            for text in texts:
                _, found, rest = rest.partition(text)
                if not found:
                    return False
            return True

        try:
            await eventually(look)
        except TimeoutError:
            raise TimeoutError(f"{texts} are not on the screen, but:\n{self.shown}") from None

    def type(self, text: str) -> None:
        """Type text as it is."""
        self.tmux.do("send-keys", "-l", "-t", self.pane, text)

    def press(self, key: str) -> None:
        """Press a key by tmux's name for it, such as `Enter` or `C-c`."""
        self.tmux.do("send-keys", "-t", self.pane, key)

    async def enter(self, line: str) -> None:
        """Type a line and, once it stands there, the Enter key."""
        before = self.shown.count(line)
        self.type(line)
        try:
            await eventually(lambda: self.shown.count(line) > before)
        except TimeoutError:
            raise TimeoutError(f"{line!r} was typed and is not on the screen, but:\n{self.shown}") from None
        self.press("Enter")

    def resize(self, columns: int, rows: int) -> None:
        """Make the window this large."""
        self.tmux.do("resize-window", "-t", self.pane, "-x", str(columns), "-y", str(rows))

    @property
    def ended(self) -> int | None:
        """The command's exit code as a shell gives it (128 and more for a signal); None while it runs."""
        found = ENDED.search(self.shown)
        return int(found[1]) if found else None

    async def until_ended(self) -> int:
        """Wait until the command has ended; return its exit code."""
        await self.until(ENDING)
        return self.ended or 0

    async def leave(self) -> int:
        """End a client the way a person does: Ctrl-C until it has gone. Returns the exit code."""

        def press() -> int | None:
            if self.ended is None:
                self.press("C-c")
            return self.ended

        try:
            async with asyncio.timeout(PATIENCE):
                while (end := press()) is None:
                    await asyncio.sleep(BETWEEN_KEYS)
                return end
        except TimeoutError:
            raise TimeoutError(f"the client does not leave; the screen shows:\n{self.shown}") from None

    def close(self) -> None:
        """Close the window and hang up on what runs in it."""
        self.tmux.do("kill-pane", "-t", self.pane)


class Tmux:
    """A server with a socket of its own."""

    def __init__(self, folder: Path) -> None:
        """Keep the socket in `folder`, whose path must be short."""
        self._socket = folder / "tmux"

    def open(self, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Window:
        """Run a command in a new window."""
        given = [f"{name}={value}" for name, value in environment.items()]
        shell = ["env", "-i", *given, "sh", "-c", SHELL, "sh", *command]
        pane, pid = self.do("new-window", "-d", "-P", "-F", "#{pane_id} #{pane_pid}", "-c", str(folder), *shell).split()
        return Window(self, pane, int(pid))

    def command(self, *arguments: str) -> list[str]:
        """Return a tmux command for this server, as arguments."""
        return ["tmux", "-S", str(self._socket), "-f", "/dev/null", *arguments]

    def do(self, *arguments: str) -> str:
        """Run a tmux command and return what it prints."""
        done = subprocess.run(
            self.command(*arguments),
            env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "TERM": "xterm-256color", "HOME": "/nonexistent"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def start(self) -> None:
        """Start the server."""
        self.do("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "cat")
        self.do("set-option", "-g", "remain-on-exit", "on")

    def stop(self) -> None:
        """End the server and every window."""
        self.do("kill-server")


@asynccontextmanager
async def running_tmux() -> AsyncIterator[Tmux]:
    """Start a server; end it, with everything in its windows, at the end."""
    with tempfile.TemporaryDirectory(prefix="shim-tmux-") as folder:
        tmux = Tmux(Path(folder))
        tmux.start()
        try:
            yield tmux
        finally:
            tmux.stop()
