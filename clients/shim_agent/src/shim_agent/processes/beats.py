"""Says every few seconds which clients live, and which tools outlived theirs."""

import asyncio
from contextlib import suppress
from pathlib import Path

import psutil
import structlog

from shim_agent.gateway import Gateway
from shim_agent.processes.client import Client
from shim_agent.processes.tools import ToolProcesses
from shim_common.contracts.sessions import Heartbeat, ToolProcess
from shim_common.kernel.errors import NotFound, ShimError

log = structlog.get_logger()


class Beats:
    """Heartbeats of a connection's clients. `clients` is shared with whoever finds them."""

    def __init__(
        self, gateway: Gateway, config_dir: Path, clients: dict[psutil.Process, Client], beat_seconds: float
    ) -> None:
        self._gateway = gateway
        self._config_dir = config_dir
        self._clients = clients
        self._beat_seconds = beat_seconds
        self._tools = ToolProcesses()
        self._looking = asyncio.Lock()
        self._orphaned: set[str] = set()
        self._now = asyncio.Event()

    def beat_now(self) -> None:
        """Do not wait for the next beat: there is a new client."""
        self._now.set()

    def forget(self, session: str) -> None:
        """Let go of the tools of a session that no client works on and nobody asks about."""
        self._orphaned.discard(session)
        self._tools.forget(session)

    async def survivors(self, session: str) -> list[ToolProcess]:
        """Return the tools of a session that outlived its client."""
        async with self._looking:
            return (await asyncio.to_thread(self._tools.look, {}, [session]))[session]

    def tell_of_survivors(self, session: str) -> None:
        """Go on telling of a session's tools without their client, until the last has ended."""
        self._orphaned.add(session)

    async def run(self) -> None:
        """Beat until cancelled; costs nothing while there is nobody."""
        while True:
            if self._clients or self._orphaned:
                await self._beat()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._now.wait(), self._beat_seconds)
            self._now.clear()

    async def _beat(self) -> None:
        """Send one heartbeat for each session. One that fails is not repeated: the next one says more."""
        clients = {client.session: client for client in self._clients.values()}
        self._orphaned -= clients.keys()
        orphaned = sorted(self._orphaned)
        async with self._looking:
            processes = {client.process: session for session, client in clients.items()}
            tools = await asyncio.to_thread(self._tools.look, processes, orphaned)
        living = (self._send(s, one.heartbeat(self._config_dir, tools[s])) for s, one in clients.items())
        await asyncio.gather(*living, *(self._tell_of_orphans(session, tools[session]) for session in orphaned))

    async def _tell_of_orphans(self, session: str, tools: list[ToolProcess]) -> None:
        if await self._send(session, Heartbeat(tool_processes=tools)) and not tools:
            self.forget(session)

    async def _send(self, session: str, heartbeat: Heartbeat) -> bool:
        """Send a heartbeat; say whether it was taken, or there is nobody to take it."""
        try:
            await self._gateway.beat(session, heartbeat)
        except NotFound:
            return True
        except ShimError as error:
            log.debug("beat_not_taken", session=session, code=error.problem_code)
            return False
        return True
