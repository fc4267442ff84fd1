"""Watches the client processes of one connection: beats while they live, says at once when one ends."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing, suppress
from datetime import datetime

import psutil
import structlog

from shim_agent.assistants import ASSISTANTS
from shim_agent.connections import Connection
from shim_agent.gateway import Gateway
from shim_agent.processes.beats import Beats
from shim_agent.processes.client import Client
from shim_agent.processes.exits import gone
from shim_agent.processes.identity import find, find_recorded, recorded_reference, reference
from shim_agent.processes.records import ClientRecord
from shim_agent.retry import until_done
from shim_agent.watch import FolderWatch
from shim_common.contracts.sessions import ProcessExit, ProcessRef, Session, SessionState
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import ShimError
from shim_common.kernel.retry import Backoff

log = structlog.get_logger()

OnEnd = Callable[[str, ProcessExit, Awaitable[Session | None]], Coroutine[None, None, None]]
"""Hears of an end at once: the session, what was seen, and the session as it stands when the server was told."""


class ClientWatch:
    """Knows which process each session of a connection runs in.

    Sources are the client's own records and what hooks told the server; either way the process is compared by
    pid and creation time before it is believed in. A process that was never seen alive is only said to be gone
    where the client's own record proves it.
    """

    def __init__(
        self,
        connection: Connection,
        gateway: Gateway,
        records: FolderWatch,
        clock: Clock,
        backoff: Backoff,
        *,
        beat_seconds: float,
        on_alive: Callable[[str], None],
        on_gone: Callable[[str], Awaitable[None]],
        on_end: OnEnd,
    ) -> None:
        self._connection = connection
        self._gateway = gateway
        self._records = records
        self._clock = clock
        self._backoff = backoff
        self._on_alive = on_alive
        self._on_gone = on_gone
        self._on_end = on_end
        self._clients: dict[psutil.Process, Client] = {}
        self._beats = Beats(gateway, connection.config_dir, self._clients, beat_seconds)
        self._ended: set[tuple[int, str]] = set()
        self._tasks: asyncio.TaskGroup | None = None

    @property
    def sessions(self) -> Mapping[str, ProcessRef]:
        """The sessions that are alive, with their processes."""
        return {client.session: client.ref for client in self._clients.values()}

    @property
    def is_running(self) -> bool:
        """Whether anything is watched; before, what sessions tell of their processes is passed over."""
        return self._tasks is not None

    async def run(self) -> None:
        """Watch until cancelled."""
        self._clients.clear()
        try:
            async with asyncio.TaskGroup() as self._tasks, aclosing(self._records.changes()) as changes:
                self._tasks.create_task(self._beats.run())
                read = ASSISTANTS[self._connection.client].processes
                async for _ in changes:
                    for record in await asyncio.to_thread(read, self._connection.config_dir):
                        self._take_record(record)
        finally:
            self._tasks = None

    async def take_session(self, session: Session, said_at: datetime) -> None:
        """Watch the process that the server knew for a session at that time, if it lives on this machine."""
        process = await asyncio.to_thread(find, session.process, said_at) if session.process else None
        if process is not None:
            self._watch(process, session.client_session_id, said_at)

    def _take_record(self, record: ClientRecord) -> None:
        process = find_recorded(record)
        if process is not None:
            self._watch(process, record.session, self._clock.now())
        elif (record.pid, record.session) not in self._ended and self._tasks is not None:
            self._ended.add((record.pid, record.session))
            self._tasks.create_task(self._tell_dead(record))

    def _watch(self, process: psutil.Process, session: str, said_at: datetime) -> None:
        """Watch a process; on which session it works is what was said last."""
        known = self._clients.get(process)
        if known is None:
            self._watch_new(process, session, said_at)
        elif said_at > known.said_at:
            before, known.session, known.said_at = known.session, session, said_at
            if before != session:
                self._beats.forget(before)
                self._on_alive(session)

    def _watch_new(self, process: psutil.Process, session: str, said_at: datetime) -> None:
        if self._tasks is None:
            return
        with suppress(psutil.Error):
            client = Client(process, reference(process), session, said_at)
            self._clients[process] = client
            self._tasks.create_task(self._await_end(client))
            self._beats.beat_now()
            self._on_alive(session)
            log.info("client_seen", session=session, pid=process.pid)

    async def _await_end(self, client: Client) -> None:
        await gone(client.process)
        observed_at = self._clock.now()
        del self._clients[client.process]
        self._ended.add((client.ref.pid, client.session))
        log.info("client_gone", session=client.session, pid=client.ref.pid)
        await self._tell_gone(client.session, client.ref, observed_at)

    async def _tell_dead(self, record: ClientRecord) -> None:
        """Tell of a client that died while nobody watched and left its record behind."""
        ref = recorded_reference(record)
        if ref is None:
            return
        with suppress(ShimError):
            session = await until_done("session", lambda: self._gateway.session(record.session), self._backoff)
            if session.state is SessionState.ACTIVE and not _may_run_elsewhere(session, record.pid):
                log.info("client_found_dead", session=record.session, pid=record.pid)
                await self._tell_gone(record.session, ref, self._clock.now())

    async def _tell_gone(self, session: str, ref: ProcessRef, observed_at: datetime) -> None:
        tools = await self._beats.survivors(session)
        end = ProcessExit(process=ref, observed_at=observed_at, tool_processes=tools)
        async with asyncio.TaskGroup() as tasks:
            told = tasks.create_task(self._tell_exit(session, end))
            tasks.create_task(self._on_end(session, end, told))
        await self._on_gone(session)

    async def _tell_exit(self, session: str, end: ProcessExit) -> Session | None:
        """Tell the server of an end; return the session as it stands then, None where the server takes no such end."""
        try:
            told = await until_done("exit", lambda: self._gateway.exit(session, end), self._backoff)
        except ShimError as error:
            log.warning("exit_not_taken", session=session, code=error.problem_code, reason=error.detail)
            self._beats.forget(session)
            return None
        if end.tool_processes and told.state is SessionState.INTERRUPTED:
            self._beats.tell_of_survivors(session)
        else:
            self._beats.forget(session)
        return told


def _may_run_elsewhere(session: Session, dead_pid: int) -> bool:
    """Tell whether the session may go on in another process than the one that is dead."""
    return session.process is not None and session.process.pid != dead_pid and psutil.pid_exists(session.process.pid)
