"""Keeps the server's copy of one connection's transcripts complete."""

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import structlog

from shim_agent.assistants import ASSISTANTS
from shim_agent.connections import Connection
from shim_agent.gateway import Gateway
from shim_agent.transcripts.batches import Stretch
from shim_agent.transcripts.cursor import FileCursor, RewrittenError, last_before
from shim_agent.transcripts.log import SessionLog
from shim_agent.transcripts.sources import Origin, Source
from shim_agent.watch import Changed, FolderWatch
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import ShimError
from shim_common.kernel.retry import Backoff
from shim_transcripts.entries import EPOCH

log = structlog.get_logger()

PARALLEL_FILES = 4
"""Files read at the same time; each holds at most one chunk that is not stored yet."""

IDLE_SECONDS = 900.0
"""A file that did not change for so long is forgotten; a change makes it known again."""

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class FollowedFile:
    """A file under way. `stored` is how far the server has it under the name of this `generation`."""

    source: Source
    origin: Origin
    generation: int
    cursor: FileCursor
    stored: int
    read_at: float

    @property
    def name(self) -> str:
        """The name under which the server knows the file; a rewritten file is another one."""
        return f"{self.source.name}~{self.generation}" if self.generation else self.source.name


class TranscriptFollower:
    """Follows the transcripts of one connection that were written since it was made, and those asked for.

    Nothing is held back in memory: what is not stored yet is in the files, and is read again from where the
    server stands. So the agent may be killed at any moment.
    """

    def __init__(
        self, connection: Connection, gateway: Gateway, watch: FolderWatch, clock: Clock, backoff: Backoff
    ) -> None:
        self._connection = connection
        self._assistant = ASSISTANTS[connection.client]
        self._gateway = gateway
        self._watch = watch
        self._clock = clock
        self._backoff = backoff
        self._asked: set[str] = set()
        self._logs: dict[str, SessionLog] = {}
        self._files: dict[Path, FollowedFile] = {}
        self._settled: dict[Path, Stamp] = {}
        self._running: set[Path] = set()
        self._again: set[Path] = set()
        self._slots = asyncio.Semaphore(PARALLEL_FILES)

    @property
    def sessions(self) -> Mapping[str, SessionLog]:
        """The sessions under way, by the client's id."""
        return self._logs

    def counts(self) -> dict[str, Counter[str]]:
        """Return what was made of each session's lines and entries since the agent started."""
        counts = {session: Counter(session_log.counts) for session, session_log in self._logs.items()}
        for file in self._files.values():
            counts[file.source.session].update(file.cursor.counts)
        return counts

    def ask(self, session: str) -> None:
        """Follow this session too, even if its files are older than the connection."""
        self._asked.add(session)

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as tasks, aclosing(self._watch.changes()) as changes:
            async for changed in changes:
                found = await asyncio.to_thread(self._look, changed)
                if changed is None:
                    self._forget_gone(found)
                for source, stamp in found.items():
                    if self._is_due(source, stamp):
                        self._start(tasks, source)

    async def finish(self, session: str) -> None:
        """Store a session's files to their ends, a last line without newline included: its client is gone."""
        for source in await asyncio.to_thread(self._assistant.sources_below, self._connection.config_dir):
            if source.session == session:
                await self._copy_in_turn(source, finish=True)

    def _look(self, changed: Changed) -> dict[Source, Stamp]:
        """Return the transcripts among what changed. Runs in a thread."""
        config_dir = self._connection.config_dir
        if changed is None:
            sources = self._assistant.sources_below(config_dir)
        else:
            sources = [source for path in changed if (source := self._assistant.source_of(config_dir, path))]
        return {source: stamp for source in sources if (stamp := _stamp(source.path))}

    def _is_due(self, source: Source, stamp: Stamp) -> bool:
        """Tell whether a file has something new and is to be followed."""
        if self._settled.get(source.path) == stamp:
            return False
        since = int(self._connection.connected_at.timestamp() * 1e9)
        return stamp[2] >= since or source.session in self._asked

    def _start(self, tasks: asyncio.TaskGroup, source: Source) -> None:
        if source.path in self._running:
            self._again.add(source.path)
            return
        self._running.add(source.path)
        tasks.create_task(self._catch_up(source))

    async def _catch_up(self, source: Source) -> None:
        try:
            await self._copy_in_turn(source)
            while source.path in self._again:
                self._again.discard(source.path)
                await self._copy_in_turn(source)
        finally:
            self._running.discard(source.path)

    async def _copy_in_turn(self, source: Source, *, finish: bool = False) -> None:
        """Store what is new; a file that cannot be read or is refused is tried again when all are looked at."""
        session_log = self._log_of(source.session)
        async with session_log.turn, self._slots:
            try:
                await self._copy(source, session_log, finish=finish)
            except FileNotFoundError:
                self._forget(source.path)
            except (OSError, ShimError) as error:
                log.warning(
                    "transcript_not_followed", session=source.session, reason=type(error).__name__, error=str(error)
                )
                self._forget(source.path)

    async def _copy(self, source: Source, session_log: SessionLog, *, finish: bool) -> None:
        stamp = _stamp(source.path)
        file = self._files.get(source.path) or await self._open(source, session_log)
        if file is None:
            self._settle(source.path, stamp)
            return
        self._files[source.path] = file
        while True:
            try:
                stretch = await asyncio.to_thread(file.cursor.read)
            except RewrittenError:
                file = self._files[source.path] = self._from_start(file)
                continue
            if stretch is None:
                break
            await self._store(file, session_log, stretch)
        if finish and (rest := file.cursor.finish()):
            await self._store(file, session_log, rest)
        file.read_at = self._clock.monotonic()
        self._settle(source.path, stamp)

    def _settle(self, path: Path, stamp: Stamp | None) -> None:
        if stamp is not None:
            self._settled[path] = stamp

    async def _store(self, file: FollowedFile, session_log: SessionLog, stretch: Stretch) -> None:
        since_stored = replace(stretch, start=file.stored)
        if await session_log.append(file.name, since_stored, file.origin):
            file.stored = stretch.end

    async def _open(self, source: Source, session_log: SessionLog) -> FollowedFile | None:
        """Find out where to read on; None as long as the file does not show that it is a transcript."""
        origin = await asyncio.to_thread(self._assistant.origin_of, source.path)
        if origin is None:
            return None
        stored = await session_log.stored()
        if stored is None:
            await session_log.open(origin)
        generation, position = newest_generation(source.name, stored or {})
        cursor = self._cursor(source.path, position)
        file = FollowedFile(source, origin, generation, cursor, position, self._clock.monotonic())
        if position == 0:
            return file
        return await self._resumed(file, session_log)

    async def _resumed(self, file: FollowedFile, session_log: SessionLog) -> FollowedFile:
        """Make sure that the file still is the one whose beginning is stored, by its last stored entry."""
        try:
            last = await asyncio.to_thread(last_before, file.source.path, file.stored, self._assistant.dialect)
        except RewrittenError:
            return self._from_start(file)
        if last is None:
            return file
        if not await session_log.knows(last):
            return self._from_start(file)
        last_at = max((placed.entry.at for placed in last.entries), default=EPOCH)
        return replace(file, cursor=self._cursor(file.source.path, file.stored, last_at))

    def _from_start(self, file: FollowedFile) -> FollowedFile:
        """Read a rewritten file as a new one; entries that are stored already are known by their keys."""
        log.warning("transcript_rewritten", session=file.source.session, stored=file.stored)
        self._keep_counts(file)
        self._log_of(file.source.session).counts.update(rewritten=1)
        return replace(file, generation=file.generation + 1, cursor=self._cursor(file.source.path), stored=0)

    def _cursor(self, path: Path, position: int = 0, last_at: datetime = EPOCH) -> FileCursor:
        return FileCursor(path, position, last_at, self._assistant.dialect)

    def _log_of(self, session: str) -> SessionLog:
        if session not in self._logs:
            self._logs[session] = SessionLog(
                self._gateway, self._connection.client, session, self._clock, self._backoff
            )
        return self._logs[session]

    def _forget(self, path: Path) -> None:
        self._settled.pop(path, None)
        if file := self._files.pop(path, None):
            self._keep_counts(file)

    def _forget_gone(self, found: Mapping[Source, Stamp]) -> None:
        """Let go of files that are deleted or long idle, and of sessions without files."""
        present = {source.path for source in found}
        self._settled = {path: stamp for path, stamp in self._settled.items() if path in present}
        long_ago = self._clock.monotonic() - IDLE_SECONDS
        for path, file in list(self._files.items()):
            if path not in self._running and (path not in present or file.read_at < long_ago):
                self._keep_counts(self._files.pop(path))
        busy = {file.source.session for file in self._files.values()}
        for session, session_log in list(self._logs.items()):
            if session not in busy and not session_log.turn.locked():
                del self._logs[session]

    def _keep_counts(self, file: FollowedFile) -> None:
        self._log_of(file.source.session).counts.update(file.cursor.counts)


def newest_generation(name: str, stored: Mapping[str, int]) -> tuple[int, int]:
    """Return the newest generation of a source that the server has, and how far it is stored."""
    pattern = re.compile(re.escape(name) + r"(?:~(\d+))?")
    known = [(int(match[1] or 0), end) for file, end in stored.items() if (match := pattern.fullmatch(file))]
    return max(known, default=(0, 0))


def _stamp(path: Path) -> Stamp | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns
