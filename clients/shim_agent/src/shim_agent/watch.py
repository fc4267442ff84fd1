"""Tells which files below a folder changed."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path

import structlog
from watchfiles import Change, awatch

from shim_common.kernel.clock import Clock

log = structlog.get_logger()

_STEP_MS = 200
"""How often the watching thread looks whether it shall stop, and the longest that a change waits to be joined."""

_DEBOUNCE_MS = 400
"""Changes that keep coming are handed on after this long at the latest."""

Changed = frozenset[Path] | None
"""The files that changed, or None: look at every file."""


class FolderWatch:
    """Watches one folder, which may not exist yet, and everything below it.

    Notifications can be lost, so every `rescan` seconds the reader is told to look at everything; where the file
    system cannot notify at all, that happens every `poll` seconds.
    """

    def __init__(self, folder: Path, suffix: str, *, rescan: float, poll: float, clock: Clock) -> None:
        self._folder = folder
        self._suffix = suffix
        self._rescan = rescan
        self._poll = poll
        self._clock = clock

    async def changes(self) -> AsyncGenerator[Changed, None]:
        """Yield what changed, without end; None first of all, and whenever the folder appears."""
        is_told = False
        while True:
            if self._folder.is_dir():
                yield None
                try:
                    async with aclosing(self._notified()) as notified:
                        async for changed in notified:
                            yield changed
                except OSError as error:
                    if not is_told:
                        log.warning("watching_by_polling", reason=type(error).__name__, errno=error.errno)
                    is_told = True
            await asyncio.sleep(self._poll)

    async def _notified(self) -> AsyncGenerator[Changed, None]:
        """Yield changes until the folder is another one than it was."""
        watched = _inode(self._folder)
        last_full: float | None = None  # nobody has looked yet since the watch began
        async for changes in awatch(
            self._folder,
            watch_filter=self._is_of_interest,
            debounce=_DEBOUNCE_MS,
            step=_STEP_MS,
            rust_timeout=max(1, int(min(self._poll, self._rescan) * 1000)),
            yield_on_timeout=True,
        ):
            if changes:
                yield frozenset(Path(path) for _, path in changes)
            if last_full is None or self._clock.monotonic() - last_full >= self._rescan:
                last_full = self._clock.monotonic()
                if _inode(self._folder) != watched:
                    return
                yield None

    @property
    def _is_of_interest(self) -> Callable[[Change, str], bool]:
        suffix = self._suffix
        return lambda _change, path: path.endswith(suffix)


def _inode(folder: Path) -> int | None:
    try:
        return folder.stat().st_ino
    except OSError:
        return None
