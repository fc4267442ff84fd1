"""Brings a session back in a terminal of its own, by the user's launcher."""

import asyncio
import os
import sys
from pathlib import Path

import psutil
import structlog

from shim_agent.processes.tools import ToolProcesses
from shim_agent.supervision import claude, launchers, survivors
from shim_agent.supervision.going_on import command_for
from shim_agent.supervision.policies import Policies
from shim_agent.supervision.store import Store
from shim_agent.supervision.tended import Tended
from shim_common.contracts.supervision import ToolsPolicy
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Conflict, NotFound, Unavailable
from shim_common.settings import default_home

log = structlog.get_logger()

ARRIVAL_SECONDS = 30.0
"""A client is up a second after it was started; one that is not by then did not start."""

_LOOK_SECONDS = 0.1
_OF_THE_STACK = ("SHIM_", "DATABASE_URL", "REDIS_URL")


class Returning:
    """Starts clients. Whether it may is decided before."""

    def __init__(self, home: Path, store: Store, clock: Clock, arrival_seconds: float = ARRIVAL_SECONDS) -> None:
        self._home = home
        self._store = store
        self._clock = clock
        self._arrival_seconds = arrival_seconds

    async def bring_back(self, tended: Tended, launcher: str | None, tools: ToolsPolicy) -> tuple[str, str]:
        """Start the client of a session that ended; return the launcher's name, and what became of its tools.

        Raises:
            ShimError: it cannot be done, or no client came; the message says why and how to do it by hand.
        """
        folder = Path(tended.watch.project)
        if not claude.is_session_id(tended.session) or not await asyncio.to_thread(folder.is_dir):
            raise NotFound(f"the folder {folder} or the session's id is not as it was", code="nothing_to_resume")
        name, command = await launchers.choose(self._home, launcher)
        about_tools = await self._settle_tools(tended, tools)
        try:
            resume = await asyncio.to_thread(self._resume, tended)
        except OSError as error:
            raise Conflict(f"the transcript cannot be moved: {error}", code="transcript_stays") from error
        arguments = command.arguments(str(folder), tended.session, resume)
        log.info("bringing_back", session=tended.session, launcher=name)
        self._store.tend(tended.brought_back_by(name))
        try:
            await launchers.launch(arguments, folder, _environment())
            await self._arrival(tended)
        finally:
            self._forget_launcher(tended)
        return name, about_tools

    def _resume(self, tended: Tended) -> list[str]:
        """Return the command that goes on with the session, under `shim run` where that is installed."""
        shim = Path(sys.executable).with_name("shim")
        named = {
            "SHIM_HOME": str(self._home) if self._home != default_home() else None,
            claude.CONFIG_VARIABLE: str(tended.config_dir) if tended.config_dir else None,
        }
        given = [f"{name}={value}" for name, value in named.items() if value]
        policy = Policies(self._home).of(tended.watch.policy).name
        wrapped = [str(shim), "run", "--policy", policy, "--"] if shim.is_file() else []
        config_dir = tended.config_dir or claude.default_config_dir()
        command = command_for(tended.command, tended.session, config_dir, self._home, self._clock.now())
        return [*(["env", *given] if given else []), *wrapped, *command]

    async def _settle_tools(self, tended: Tended, tools: ToolsPolicy) -> str:
        """End the tools that still run, or say that they were kept; nobody is there to be asked."""
        left = await asyncio.to_thread(self._tools_left, tended)
        if not left:
            return ""
        pids = ", ".join(str(process.pid) for process in left)
        if tools is not ToolsPolicy.END:
            return f"kept tool processes that still run: {pids}"
        stubborn = await asyncio.to_thread(survivors.end, left)
        if stubborn:
            raise Conflict(f"tool processes cannot be ended: {', '.join(str(one.pid) for one in stubborn)}")
        return f"ended tool processes: {pids}"

    def _tools_left(self, tended: Tended) -> list[psutil.Process]:
        known = tended.ended.end.tool_processes if tended.ended else []
        found = ToolProcesses().look({}, [tended.session])[tended.session]
        both = {tool.pid: tool for tool in (*known, *found)}
        return survivors.still_running(both.values(), self._clock.now())

    async def _arrival(self, before: Tended) -> None:
        """Wait until a client for the session was seen that is not the one that ended."""
        try:
            async with asyncio.timeout(self._arrival_seconds):
                while not self._has_come(before):  # noqa: ASYNC110 - another process writes it down
                    await asyncio.sleep(_LOOK_SECONDS)
        except TimeoutError:
            raise Unavailable(f"no client came within {self._arrival_seconds:g} s", code="no_client_came") from None

    def _has_come(self, before: Tended) -> bool:
        now = self._store.tended_session(before.session)
        return now is not None and not now.is_of(before.process)

    def _forget_launcher(self, before: Tended) -> None:
        now = self._store.tended_session(before.session)
        if now is not None and now.is_of(before.process):
            self._store.tend(now.brought_back_by(None))


def _environment() -> dict[str, str]:
    """Return the environment for a launcher: the agent's, without what is the stack's own and may hold passwords."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_STACK)}
