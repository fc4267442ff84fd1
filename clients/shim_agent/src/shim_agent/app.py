"""The agent put together: which parts there are, and what they tell each other."""

import asyncio
import os
from collections.abc import Awaitable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import structlog

from shim_agent.assistants import ASSISTANTS
from shim_agent.connections import Connection, ConnectionsWatch
from shim_agent.gateway import Gateway
from shim_agent.processes.watch import ClientWatch
from shim_agent.retry import until_done, wait_after
from shim_agent.settings import AgentSettings
from shim_agent.snapshots.projects import Projects
from shim_agent.snapshots.schedule import SnapshotScheduler
from shim_agent.status import AgentStatus, ConnectionStatus, SessionStatus, StatusWriter
from shim_agent.supervise import keep
from shim_agent.supervision.deciding import Decider, boot_id
from shim_agent.supervision.keeper import REQUEST_EVENT, Supervision
from shim_agent.supervision.policies import Policies
from shim_agent.supervision.returning import Returning
from shim_agent.supervision.store import Store
from shim_agent.transcripts.follow import TranscriptFollower
from shim_agent.transcripts.touched import below
from shim_agent.watch import FolderWatch
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import ProcessExit, Session, Trigger
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import BadInput, NotFound, ShimError, Unprocessable
from shim_common.kernel.ids import TimeOrderedIds
from shim_common.kernel.retry import Backoff
from shim_transcripts import find_session_file

log = structlog.get_logger()

SNAPSHOT_EVENTS = frozenset({"checkpoint.created", "session.interrupted"})
PROCESS_EVENTS = frozenset({"session.started", "session.resumed"})
EVENT_TYPES = sorted(SNAPSHOT_EVENTS | PROCESS_EVENTS | {REQUEST_EVENT})


@dataclass(frozen=True, slots=True)
class Watched:
    """A connection with the parts that look at it."""

    connection: Connection
    follower: TranscriptFollower
    clients: ClientWatch

    def has(self, session: Session) -> bool:
        """Tell whether a session is one of this connection's, on this machine."""
        own_id = session.client_session_id
        if session.client != self.connection.client:
            return False
        return own_id in self.clients.sessions or find_session_file(self.connection.config_dir, own_id) is not None


class Agent:
    """Everything that runs in the agent's process. It is told to stop by being cancelled.

    There is nothing to save at the end: transcripts are their own spool, and the server knows how far they are stored.
    """

    def __init__(self, settings: AgentSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._backoff = Backoff(base=0.2, cap=settings.retry_cap_seconds)
        self._gateway = Gateway(settings.url, settings.key_file)
        self._watched: dict[tuple[str, Path], Watched] = {}
        self._projects = Projects(self._gateway, clock, settings.snapshot_limits)
        self._scheduler = SnapshotScheduler(self._take_snapshot, settings.snapshot_interval_seconds, self._backoff)
        self._supervision = self._make_supervision()
        self._status = StatusWriter(settings.home)
        self._started_at = clock.now()
        self._problem: str | None = "not asked yet"
        self._last_event: str | None = None
        self._asked_about: set[str] = set()

    async def run(self) -> None:
        """Work until cancelled."""
        parts = {
            "connections": self._follow_connections,
            "events": self._listen,
            "snapshots": self._scheduler.run,
            "supervision": self._supervision.run,
            "housekeeping": self._keep_house,
        }
        async with self._gateway, asyncio.TaskGroup() as tasks:
            for name, part in parts.items():
                tasks.create_task(keep(name, part, self._backoff))

    def _make_supervision(self) -> Supervision:
        home, clock, boot = self._settings.home, self._clock, boot_id()
        store, policies = Store(home), Policies(home)
        return Supervision(
            self._gateway,
            store,
            policies,
            Decider(store, policies, clock, boot),
            Returning(home, store, clock),
            clock,
            TimeOrderedIds(clock),
            self._backoff,
            boot=boot,
            beat_seconds=self._settings.beat_seconds,
            look_seconds=self._settings.poll_seconds,
        )

    async def _follow_connections(self) -> None:
        """Watch what the user connected, from when it is connected until it no longer is."""
        file = ConnectionsWatch(self._settings.home)
        running: dict[tuple[str, Path], asyncio.Task[None]] = {}
        async with asyncio.TaskGroup() as tasks:
            while True:
                wanted = _followed(file)
                if wanted is not None:
                    for key in running.keys() - wanted.keys():
                        running.pop(key).cancel()
                        del self._watched[key]
                        log.info("disconnected", client=key[0])
                    for key in wanted.keys() - running.keys():
                        self._watched[key] = self._watch(wanted[key])
                        running[key] = tasks.create_task(self._run_watched(self._watched[key]))
                        log.info("connected", client=key[0])
                await asyncio.sleep(self._settings.poll_seconds)

    def _watch(self, connection: Connection) -> Watched:
        def folder_watch(folder: Path, suffix: str) -> FolderWatch:
            return FolderWatch(
                folder,
                suffix,
                rescan=self._settings.rescan_seconds,
                poll=self._settings.poll_seconds,
                clock=self._clock,
            )

        assistant = ASSISTANTS[connection.client]
        follower = TranscriptFollower(
            connection,
            self._gateway,
            folder_watch(assistant.transcripts_folder(connection.config_dir), ".jsonl"),
            self._clock,
            self._backoff,
        )

        async def on_gone(session: str) -> None:
            await follower.finish(session)
            await self._request_last_snapshot(session)

        def on_alive(session: str) -> None:
            follower.ask(session)
            if assistant.is_supervised:
                self._supervision.seen(connection.client, connection.config_dir, session, clients.sessions[session])

        async def on_end(session: str, gone: ProcessExit, told: Awaitable[Session | None]) -> None:
            if assistant.is_supervised:
                await self._supervision.ended(connection.client, connection.config_dir, session, gone, told)

        clients = ClientWatch(
            connection,
            self._gateway,
            folder_watch(assistant.processes_folder(connection.config_dir), assistant.processes_suffix),
            self._clock,
            self._backoff,
            beat_seconds=self._settings.beat_seconds,
            on_alive=on_alive,
            on_gone=on_gone,
            on_end=on_end,
        )
        return Watched(connection, follower, clients)

    async def _run_watched(self, watched: Watched) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(keep("transcripts", watched.follower.run, self._backoff))
            tasks.create_task(keep("processes", watched.clients.run, self._backoff))

    async def _listen(self) -> None:
        """Hear what happens to sessions; after a break, hear first what was missed."""
        waits = self._backoff.waits()
        while True:
            try:
                stream = self._gateway.events(EVENT_TYPES, self._last_event, self._reached)
                async with aclosing(stream) as events:
                    async for event in events:
                        await self._hear(event)
                        self._last_event = event.id
                        waits = self._backoff.waits()
                wait = next(waits)
            except (BadInput, NotFound, Unprocessable):
                self._last_event = None  # it may be older than what the server keeps
                wait = next(waits)
            except ShimError as error:
                self._note_problem(error)
                wait = wait_after(error, next(waits))
            await asyncio.sleep(wait)

    def _note_problem(self, error: ShimError) -> None:
        if self._problem is None:
            log.warning("shim_away", code=error.problem_code, reason=error.detail)
        self._problem = error.detail

    def _reached(self) -> None:
        self._problem = None
        log.info("shim_reached")

    async def _hear(self, event: Event) -> None:
        if event.type == REQUEST_EVENT:
            await self._supervision.requested(event)
            return
        if event.session_id is None:
            return
        try:
            session = await self._gateway.session(event.session_id)
        except NotFound:
            return
        watched = self._watching(session)
        if event.type in SNAPSHOT_EVENTS and watched is not None:
            is_awaited = event.data.get("trigger") == Trigger.RISKY_OPERATION
            self._scheduler.request(session.project, session.client_session_id, even_unchanged=is_awaited)
        if event.type in PROCESS_EVENTS:
            watched = watched or self._first_of(session.client)
            if watched is not None:
                await watched.clients.take_session(session, event.occurred_at)

    def _watching(self, session: Session) -> Watched | None:
        return next((one for one in self._watched.values() if one.has(session)), None)

    def _first_of(self, client: str) -> Watched | None:
        """A session that just started has no transcript yet; its process alone shows that it is on this machine."""
        return next((one for one in self._watched.values() if one.connection.client == client), None)

    async def _request_last_snapshot(self, session_id: str) -> None:
        try:
            session = await until_done("session", lambda: self._gateway.session(session_id), self._backoff)
        except ShimError:
            return
        self._scheduler.request(session.project, session_id)

    async def _take_snapshot(self, project: str, session: str, even_unchanged: bool) -> None:
        logs = [one.follower.sessions.get(session) for one in self._watched.values()]
        paths = [path for session_log in logs if session_log for path in reversed(session_log.touched)]
        touched = [inner for path in paths if (inner := below(project, path))]
        without = [self._settings.home, *(one.connection.config_dir for one in self._watched.values())]
        await self._projects.take(Path(project), session, touched, without, even_unchanged=even_unchanged)

    async def _keep_house(self) -> None:
        """Find the processes of sessions that were there first, and write the status."""
        while True:
            if self._problem is None:
                for watched in list(self._watched.values()):
                    await self._find_processes(watched)
            await asyncio.to_thread(self._status.write, self._described())
            await asyncio.sleep(self._settings.beat_seconds)

    async def _find_processes(self, watched: Watched) -> None:
        unknown = watched.follower.sessions.keys() - watched.clients.sessions.keys() - self._asked_about
        for session_id in unknown:
            try:
                session = await self._gateway.session(session_id)
            except ShimError:
                continue
            self._asked_about.add(session_id)
            await watched.clients.take_session(session, session.started_at)

    def _described(self) -> AgentStatus:
        return AgentStatus(
            version=version("shim-agent"),
            pid=os.getpid(),
            started_at=self._started_at,
            written_at=self._clock.now(),
            problem=self._problem,
            connections=[_described(watched) for watched in self._watched.values()],
            refused_projects=dict(self._scheduler.refused),
        )


def _followed(file: ConnectionsWatch) -> Mapping[tuple[str, Path], Connection] | None:
    """Return the connections whose transcripts can be followed, None where nothing changed."""
    try:
        changed = file.changed()
    except BadInput as error:
        log.error("connections_unreadable", reason=error.detail)
        return None
    if changed is None:
        return None
    return {(one.client, one.config_dir): one for one in changed if one.client in ASSISTANTS}


def _described(watched: Watched) -> ConnectionStatus:
    alive = watched.clients.sessions
    counts = watched.follower.counts()
    return ConnectionStatus(
        client=watched.connection.client,
        config_dir=watched.connection.config_dir,
        connected_at=watched.connection.connected_at,
        folder_found=watched.connection.config_dir.is_dir(),
        sessions=[
            SessionStatus(
                session=session,
                pid=alive[session].pid if session in alive else None,
                counts={name: count for name, count in counts[session].items() if count},
                entries_without_hooks=session_log.silence.entries,
                hooks_missing=session_log.silence.alarming,
            )
            for session, session_log in watched.follower.sessions.items()
        ],
    )
