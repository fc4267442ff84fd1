"""Run the client on a terminal of its own, type into it and see what it has printed."""

import asyncio
import fcntl
import json
import os
import re
import struct
import termios
from asyncio.subprocess import Process, create_subprocess_exec
from types import TracebackType
from typing import Self

from .client import FAKE_KEY, PERMISSIONS, Client
from .log import PATIENCE

ROWS, COLUMNS = 50, 140
BETWEEN_KEYS = 0.3
"""Seconds: a second Ctrl-C within about 0.8 s ends the client."""
CONTROL = re.compile(
    rb"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # titles
    rb"|\x1b[P_][^\x1b]*\x1b\\"  # strings for the terminal itself
    rb"|\x1b\[[0-9;:?<>=]*[ -/]*[@-~]"  # colours, cursor, modes
    rb"|\x1b[()][0-9A-Za-z]|\x1b[=>78cM]"
)


class Terminal:
    """An interactive client: `async with Terminal(client, *flags) as screen`.

    What it printed is kept without control sequences and without blanks, since the client draws some of them by
    moving the cursor; so are the texts it is compared with.
    """

    def __init__(self, client: Client, *flags: str) -> None:
        self._client = client
        self._flags = flags
        self._raw = b""
        self._grown = asyncio.Event()
        self._terminal = -1
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        agree_to_everything(self._client)
        self._terminal, inner = os.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        self._process = await create_subprocess_exec(
            str(self._client.installation.executable),
            *PERMISSIONS,
            *self._flags,
            cwd=self._client.home.project,
            env=self._client.environment({"TERM": "xterm-256color"}),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
        )
        os.close(inner)
        os.set_blocking(self._terminal, False)
        asyncio.get_running_loop().add_reader(self._terminal, self._read)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        asyncio.get_running_loop().remove_reader(self._terminal)
        os.close(self._terminal)

    @property
    def printed(self) -> str:
        """Everything printed so far, without control sequences and blanks."""
        return _squeezed(CONTROL.sub(b"", self._raw).decode(errors="replace"))

    def shows(self, text: str) -> bool:
        """Say whether `text` was printed."""
        return _squeezed(text) in self.printed

    async def until(self, text: str) -> None:
        """Wait until `text` was printed. Raises TimeoutError with all that was."""
        try:
            async with asyncio.timeout(PATIENCE):
                while not self.shows(text):
                    self._grown.clear()
                    await self._grown.wait()
        except TimeoutError:
            raise TimeoutError(f"{text!r} was not printed within {PATIENCE} s, but: {self.printed}") from None

    def type(self, keys: str) -> None:
        """Type `keys`."""
        os.write(self._terminal, keys.encode())

    async def enter(self, line: str) -> None:
        """Type a line and, once it stands there, the Enter key."""
        self.type(line)
        await self.until(line)
        self.type("\r")

    async def leave(self) -> None:
        """End the client the way a person does: Ctrl-C until it has gone (the first ones may only interrupt)."""
        if self._process is None:
            return
        gone = asyncio.create_task(self._process.wait())
        async with asyncio.timeout(PATIENCE):
            while not gone.done():
                self.type("\x03")
                await asyncio.wait([gone], timeout=BETWEEN_KEYS)
        self._read()

    def _read(self) -> None:
        try:
            while data := os.read(self._terminal, 65536):
                self._raw += data
        except BlockingIOError:
            pass
        except OSError:  # the client has left: Linux says so with EIO
            asyncio.get_running_loop().remove_reader(self._terminal)
        self._grown.set()


def _squeezed(text: str) -> str:
    return "".join(text.split())


def agree_to_everything(client: Client) -> None:
    """Answer the first start's questions in the private configuration: they would wait for a person."""
    file = client.home.config / ".claude.json"
    answers = {
        **(json.loads(file.read_text()) if file.exists() else {}),
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [FAKE_KEY[-20:]]},
        "projects": {str(client.home.project): {"hasTrustDialogAccepted": True}},
    }
    file.write_text(json.dumps(answers))
