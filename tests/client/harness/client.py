"""Run the real client in a private home: start it, watch what it prints, kill it, end what it left running."""

import asyncio
import json
import os
import uuid
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .eventually import eventually
from .install import Installation
from .log import PATIENCE, Log
from .transcript import contents

Json = dict[str, Any]

LONGEST_LINE = 16 * 2**20
FAKE_KEY = "sk-ant-fake-key-for-loopback"
PERMISSIONS = ("--permission-mode", "acceptEdits", "--allowedTools", "Bash")
"""Nobody is there to be asked."""


@dataclass(frozen=True)
class Home:
    """The folders a client may use, all below one that the test owns."""

    home: Path
    config: Path
    temporary: Path
    project: Path

    @classmethod
    def below(cls, root: Path, config: Path | None = None) -> "Home":
        """Make the folders below `root`, the configuration elsewhere if it is given."""
        made = cls(root / "home", config or root / "config", root / "tmp", root / "project")
        for folder in (made.home, made.config, made.temporary, made.project):
            folder.mkdir(parents=True, exist_ok=True)
        return made

    def write_settings(self, settings: Json) -> None:
        """Write the user settings, with their hooks."""
        (self.config / "settings.json").write_text(json.dumps(settings, indent=2))

    def transcript(self, session_id: str) -> Path | None:
        """Return the session's transcript, or None before the client has written one."""
        return next(self.config.glob(f"projects/*/{session_id}.jsonl"), None)

    def environment(self) -> dict[str, str]:
        """Return an environment in which a client finds these folders and nothing of the person's own."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "TERM": "dumb",
            "HOME": str(self.home),
            "CLAUDE_CONFIG_DIR": str(self.config),
            "CLAUDE_CODE_TMPDIR": str(self.temporary),
            "TMPDIR": str(self.temporary),
            "ANTHROPIC_API_KEY": FAKE_KEY,
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }


class Run:
    """One process of the client. `events` holds the JSON objects it printed, `stray` the lines that were none."""

    def __init__(self, process: Process, session_id: str, home: Home) -> None:
        """Watch `process`, which has just been started."""
        self.home = home
        self.session_id = session_id
        self.events: Log[Json] = Log("the client's output", lambda event: event.get("type"))
        self.stray: list[str] = []
        self.stderr = ""
        self._process = process
        self._born = psutil.Process(process.pid).create_time()
        self._reading = asyncio.create_task(self._read())

    @property
    def pid(self) -> int:
        """The client's process id."""
        return self._process.pid

    @property
    def result(self) -> Json | None:
        """The `result` event: None if the client was killed before its turn ended."""
        return next((event for event in self.events if event.get("type") == "result"), None)

    async def say(self, prompt: str) -> None:
        """Give a prompt to a session started with `Client.converse`."""
        if self._process.stdin is None:
            raise ValueError("this run takes no prompts")
        message = {"type": "user", "message": {"role": "user", "content": prompt}}
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    @property
    def said(self) -> list[str]:
        """What the transcript holds by now, see `transcript.contents`; empty before there is one."""
        path = self.home.transcript(self.session_id)
        return contents(path) if path else []

    async def until_said(self, *wanted: str) -> None:
        """Wait until the transcript holds exactly `wanted`: the client writes it about 0.1 s after the fact."""
        await eventually(lambda: self.said == list(wanted))

    async def until_running(self, name: str) -> psutil.Process:
        """Wait until one of the run's tools is running a program called `name` and return its process."""

        def look() -> psutil.Process | None:
            return next((process for process in self.tool_processes() if _name_of(process) == name), None)

        return await eventually(look)

    async def wait(self) -> int:
        """Wait until the client has ended and its output was read; return its exit code (-9 after SIGKILL)."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.shield(self._reading)
            return await self._process.wait()

    def strike(self) -> None:
        """Send the client SIGKILL, if it still runs; tools it was running survive."""
        if self._process.returncode is None:
            self._process.kill()

    async def kill(self) -> None:
        """Kill the client with SIGKILL and wait until it is gone."""
        self.strike()
        await self.wait()

    async def end(self) -> None:
        """End the client and whatever its tools left running."""
        if self._process.returncode is None:
            await self.kill()
        for orphan in self.tool_processes():
            orphan.kill()

    def tool_processes(self) -> list[psutil.Process]:
        """Return the processes of this run's tools, known by the session id in their environment.

        They run in sessions of their own, so neither the client's death nor a signal to its group reaches them.
        """
        return [process for process in self._younger() if _session_of(process) == self.session_id]

    def _younger(self) -> Iterator[psutil.Process]:
        """Yield the processes that are younger than this run; nothing older is looked into."""
        for process in psutil.process_iter(["create_time"]):
            if process.info["create_time"] >= self._born and process.pid != self.pid:
                yield process

    async def _read(self) -> None:
        if self._process.stdout and self._process.stderr:
            errors = asyncio.create_task(self._process.stderr.read())
            async for line in self._process.stdout:
                self._take(line.decode(errors="replace"))
            self.stderr = (await errors).decode(errors="replace")
        self.events.close()

    def _take(self, line: str) -> None:
        try:
            self.events.append(json.loads(line))
        except ValueError:
            self.stray.append(line)


class Client:
    """An installed client that works in `home` and talks to the API at `api_url`."""

    def __init__(self, installation: Installation, home: Home, api_url: str) -> None:
        self.installation = installation
        self.home = home
        self._api_url = api_url
        self._runs: list[Run] = []

    def environment(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the environment of a run, with `more` variables."""
        return {**self.home.environment(), "ANTHROPIC_BASE_URL": self._api_url, **(more or {})}

    async def start(
        self,
        prompt: str,
        *flags: str,
        session_id: str | None = None,
        resume: bool = False,
        environment: Mapping[str, str] | None = None,
    ) -> Run:
        """Start one turn without a terminal (`-p`), in a new session unless `resume` is set for `session_id`."""
        session = session_id or str(uuid.uuid4())
        which = ["--resume" if resume else "--session-id", session]
        return await self._start(session, [*which, "-p", prompt, *flags], environment)

    async def converse(self, *flags: str, session_id: str | None = None) -> Run:
        """Start a session that takes its prompts from `Run.say`, any number of them."""
        session = session_id or str(uuid.uuid4())
        flags = ("--session-id", session, "-p", "--input-format", "stream-json", *flags)
        return await self._start(session, flags, takes_prompts=True)

    async def _start(
        self,
        session_id: str,
        flags: Sequence[str],
        environment: Mapping[str, str] | None = None,
        *,
        takes_prompts: bool = False,
    ) -> Run:
        process = await create_subprocess_exec(
            str(self.installation.executable),
            *("--output-format", "stream-json", "--verbose"),
            *PERMISSIONS,
            *flags,
            cwd=self.home.project,
            env=self.environment(environment),
            stdin=PIPE if takes_prompts else DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            limit=LONGEST_LINE,
            start_new_session=True,
        )
        run = Run(process, session_id, self.home)
        self._runs.append(run)
        return run

    async def end(self) -> None:
        """End every run and whatever its tools left running."""
        for run in self._runs:
            await run.end()


def _session_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("CLAUDE_CODE_SESSION_ID")
    except psutil.Error:
        return None


def _name_of(process: psutil.Process) -> str | None:
    try:
        return str(process.name())
    except psutil.Error:
        return None
