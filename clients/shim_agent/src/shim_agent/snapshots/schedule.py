"""Decides when a project's snapshot is taken: soon after it is asked for, one at a time, never too often."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping

import structlog

from shim_agent.retry import PASSING, wait_after
from shim_agent.snapshots.rules import TreeRefused
from shim_common.kernel.errors import ShimError
from shim_common.kernel.retry import Backoff

log = structlog.get_logger()

REFUSED_SECONDS = 60.0
"""A refused project is not looked at again before: counting too many files costs as much as taking few."""

Take = Callable[[str, str, bool], Awaitable[None]]
"""Takes the snapshot of a project (first argument) for a session (second), even if nothing changed (third)."""


class SnapshotScheduler:
    """Runs at most one snapshot per project at a time. Requests that come meanwhile are joined to one."""

    def __init__(self, take: Take, interval: float, backoff: Backoff) -> None:
        self._take = take
        self._interval = interval
        self._backoff = backoff
        self._wanted: dict[str, dict[str, bool]] = {}
        self._asked = asyncio.Event()
        self._refused: dict[str, str] = {}

    @property
    def refused(self) -> Mapping[str, str]:
        """Projects whose files are not kept, and why."""
        return self._refused

    def request(self, project: str, session: str, *, even_unchanged: bool = False) -> None:
        """Ask for a snapshot of a project for a session."""
        sessions = self._wanted.setdefault(project, {})
        sessions[session] = sessions.get(session, False) or even_unchanged
        self._asked.set()

    async def run(self) -> None:
        """Take snapshots until cancelled."""
        working: set[str] = set()

        async def work(project: str) -> None:
            try:
                await self._work(project)
            finally:
                working.discard(project)

        async with asyncio.TaskGroup() as tasks:
            while True:
                for project in self._wanted.keys() - working:
                    working.add(project)
                    tasks.create_task(work(project))
                self._asked.clear()
                await self._asked.wait()

    async def _work(self, project: str) -> None:
        """Take what is wanted of a project; after each round, rest so that the next is not too soon."""
        waits = self._backoff.waits()
        loop = asyncio.get_running_loop()
        while sessions := self._wanted.pop(project, None):
            started = loop.time()
            least = await self._round(project, sessions, waits)
            await asyncio.sleep(started + least - loop.time())

    async def _round(self, project: str, sessions: dict[str, bool], waits: Iterator[float]) -> float:
        """Take one snapshot for each session; return the least seconds from this round to the next."""
        for session, even_unchanged in list(sessions.items()):
            try:
                await self._take(project, session, even_unchanged)
            except PASSING as error:
                for waiting, unchanged_too in sessions.items():
                    self.request(project, waiting, even_unchanged=unchanged_too)
                return max(self._interval, wait_after(error, next(waits)))
            except TreeRefused as error:
                self._note_refused(project, error.detail)
                return REFUSED_SECONDS
            except ShimError as error:
                log.warning("snapshot_not_taken", session=session, code=error.problem_code, reason=error.detail)
            del sessions[session]
        self._refused.pop(project, None)
        return self._interval

    def _note_refused(self, project: str, reason: str) -> None:
        if self._refused.get(project) != reason:
            log.warning("project_refused", project=project, reason=reason)
        self._refused[project] = reason
