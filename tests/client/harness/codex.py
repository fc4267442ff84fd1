"""Run the real Codex in a private home: install it, start it, trust its hooks as a person would, kill it."""

import json
import os
import re
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from .client import LONGEST_LINE
from .eventually import eventually
from .install import LOOKUP_SECONDS, ClientUnavailable, Installation, cache_folder, fetch, npm
from .script import ToolCall

Json = dict[str, Any]
PACKAGE = "@openai/codex"
PREFIX = "codex-"
CONFIG = """\
# What a person wrote, and keeps.
model = "gpt-5.1-codex"
model_provider = "stub" # on loopback

[model_providers.stub]
name = "stub"
base_url = "{url}"
env_key = "STUB_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
"""
FLAGS = ("--json", "--skip-git-repo-check", "-c", 'sandbox_mode="danger-full-access"')


def install_codex() -> Installation:
    """Return the newest Codex, or the one that SHIM_TEST_CODEX_VERSION names; fetched if the cache has none.

    Raises ClientUnavailable where npm or the network is missing, or no binary fits this machine.
    """
    cache = cache_folder()
    version = os.environ.get("SHIM_TEST_CODEX_VERSION") or _newest(cache)
    folder = cache / f"{PREFIX}{version}"
    if not folder.exists():
        fetch(f"{PACKAGE}@{version}", folder)
    binaries = sorted(folder.glob("node_modules/@openai/codex-*/vendor/*/bin/codex"))
    if not binaries:
        raise ClientUnavailable(f"{PACKAGE} {version} has no binary for this machine")
    return Installation(version, binaries[0])


def _newest(cache: Path) -> str:
    try:
        return str(json.loads(npm(["view", PACKAGE, "version", "--json"], LOOKUP_SECONDS)))
    except ClientUnavailable:
        known = [path.name.removeprefix(PREFIX) for path in cache.glob(f"{PREFIX}[0-9]*")]
        if not known:
            raise
        return max(known, key=lambda version: [int(part) for part in re.findall(r"\d+", version)])


def shell(command: str) -> ToolCall:
    """Call Codex's tool for commands."""
    return ToolCall("exec_command", {"cmd": command})


@dataclass(frozen=True)
class Codex:
    """An installed Codex with folders of its own below one that the test owns."""

    installation: Installation
    root: Path

    @property
    def config_dir(self) -> Path:
        """CODEX_HOME."""
        return self.root / "codex"

    @property
    def project(self) -> Path:
        """The folder that it works in."""
        return self.root / "project"

    def settle(self, url: str) -> None:
        """Make the folders, and a configuration whose provider is the API at `url`."""
        for folder in (self.root / "home", self.root / "tmp", self.config_dir, self.project):
            folder.mkdir(parents=True, exist_ok=True)
        (self.config_dir / "config.toml").write_text(CONFIG.format(url=url))

    async def start(self, *arguments: str) -> "CodexRun":
        """Start `codex exec` with these arguments."""
        return CodexRun(await self._process(("exec", *arguments), stdin=DEVNULL))

    async def trust_hooks(self) -> int:
        """Trust every hook, as a person does in /hooks, by the same requests; return how many there are."""
        server = await self._process(("app-server",), stdin=PIPE)
        try:
            await _ask(server, 1, "initialize", {"clientInfo": {"name": "tests", "version": "1"}})
            listed = await _ask(server, 2, "hooks/list", {"cwds": [str(self.project)]})
            hooks = listed["data"][0]["hooks"]
            trusted = {hook["key"]: {"trusted_hash": hook["currentHash"]} for hook in hooks}
            edit = {"keyPath": "hooks.state", "value": trusted, "mergeStrategy": "upsert"}
            await _ask(server, 3, "config/batchWrite", {"edits": [edit]})
        finally:
            server.kill()
            await server.wait()
        return len(hooks)

    def environment(self) -> dict[str, str]:
        """Return an environment in which Codex finds these folders and nothing of the person's own."""
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": str(self.root / "home"),
            "TMPDIR": str(self.root / "tmp"),
            "CODEX_HOME": str(self.config_dir),
            "STUB_KEY": "fake-key-for-loopback",
            # Whatever is not on loopback is refused at once.
            "HTTPS_PROXY": "http://127.0.0.1:9",
            "HTTP_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "127.0.0.1",
        }

    async def _process(self, arguments: Sequence[str], stdin: int) -> Process:
        return await create_subprocess_exec(
            str(self.installation.executable),
            *arguments,
            cwd=self.project,
            env=self.environment(),
            stdin=stdin,
            stdout=PIPE,
            stderr=DEVNULL,
            limit=LONGEST_LINE,
            start_new_session=True,
        )


class CodexRun:
    """One process of `codex exec --json`."""

    def __init__(self, process: Process) -> None:
        """Watch `process`, which has just been started."""
        self._process = process
        self._born = psutil.Process(process.pid).create_time()
        self.thread = ""

    @property
    def pid(self) -> int:
        """Codex's process id."""
        return self._process.pid

    async def known(self) -> str:
        """Wait until Codex has said which thread it works on, and return it."""
        while not self.thread:
            event = await _line(self._process)
            self.thread = str(event.get("thread_id") or "")
        return self.thread

    async def until_running(self, name: str) -> psutil.Process:
        """Wait until a tool of the thread runs a program called `name` and return its process."""
        return await eventually(lambda: next((one for one in self.tools() if _name_of(one) == name), None))

    @property
    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.returncode is not None

    async def kill(self) -> None:
        """Kill it with SIGKILL, and wait until it is gone."""
        self._process.kill()
        await self.wait()

    async def wait(self) -> int:
        """Wait until it has ended; return its exit code."""
        if self._process.stdout:
            await self._process.stdout.read()
        return await self._process.wait()

    async def end(self) -> None:
        """End it and whatever its tools left running."""
        if self._process.returncode is None:
            await self.kill()
        for orphan in self.tools():
            orphan.kill()

    def tools(self) -> list[psutil.Process]:
        """Return the processes of the thread's tools; nothing older than this run is looked into."""
        younger = [one for one in psutil.process_iter(["create_time"]) if (one.info["create_time"] or 0) >= self._born]
        return [one for one in younger if _thread_of(one) == self.thread]


async def _line(process: Process) -> Json:
    if process.stdout is None:
        raise ValueError("nobody listens to this process")
    line = await process.stdout.readline()
    if not line:
        raise EOFError("Codex ended without a word")
    event: Json = json.loads(line)
    return event


async def _ask(server: Process, number: int, method: str, params: Json) -> Json:
    if server.stdin is None:
        raise ValueError("nobody can ask this process")
    server.stdin.write(json.dumps({"id": number, "method": method, "params": params}).encode() + b"\n")
    await server.stdin.drain()
    while (answer := await _line(server)).get("id") != number:
        pass
    result: Json = answer["result"]
    return result


def _thread_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get("CODEX_THREAD_ID")
    except psutil.Error:
        return None


def _name_of(process: psutil.Process) -> str | None:
    try:
        return str(process.name())
    except psutil.Error:
        return None
