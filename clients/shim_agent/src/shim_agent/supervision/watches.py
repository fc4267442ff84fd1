"""Says which clients live, to the supervisor."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
import structlog

from shim_agent.gateway import Gateway
from shim_agent.parallel import in_parallel
from shim_agent.processes.identity import find
from shim_agent.supervision import claude
from shim_agent.supervision.tended import Tended
from shim_common.contracts.supervision import NewWatch, Watch, WatchBeat
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import NotFound, ShimError
from shim_transcripts import find_session_file

log = structlog.get_logger()

AT_ONCE = 8
"""Beats under way at the same time."""


class Watches:
    """Opens a watch for each client that lives, and beats for it."""

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._open: dict[tuple[str, int, float], tuple[NewWatch, Watch]] = {}

    async def beat(self, living: Iterable[Tended]) -> None:
        """Send one beat for each; one that fails is not repeated, as the next one says more."""
        now = {_key(one): one for one in living}
        self._open = {key: opened for key, opened in self._open.items() if key in now}
        await in_parallel(now.values(), self._beat, AT_ONCE)

    async def _beat(self, tended: Tended) -> None:
        key = _key(tended)
        try:
            told = self._open.get(key)
            if told is None or told[0] != tended.watch:
                told = self._open[key] = tended.watch, await self._gateway.put_watch(tended.watch)
            await self._gateway.beat_watch(told[1].id, await asyncio.to_thread(self._seen, tended))
        except NotFound:
            self._open.pop(key, None)  # the service was set up anew
        except ShimError as error:
            log.debug("watch_not_taken", session=tended.session, code=error.problem_code)

    def _seen(self, tended: Tended) -> WatchBeat:
        seen_at = self._clock.now()
        process = find(tended.process, seen_at)
        return WatchBeat(
            process=tended.process,
            seen_at=seen_at,
            rss_bytes=_rss_bytes(process),
            transcript_bytes=_transcript_bytes(tended.config_dir or claude.default_config_dir(), tended.session),
        )


def _key(tended: Tended) -> tuple[str, int, float]:
    return tended.session, tended.process.pid, tended.process.created


def _rss_bytes(process: psutil.Process | None) -> int | None:
    if process is not None:
        with suppress(psutil.Error):
            return int(process.memory_info().rss)
    return None


def _transcript_bytes(config_dir: Path, session: str) -> int | None:
    path = find_session_file(config_dir, session)
    try:
        return path.stat().st_size if path else None
    except OSError:
        return None
