"""Brings a project's files to the server: contents first, then the snapshot that names them."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from shim_agent.gateway import Gateway
from shim_agent.parallel import in_parallel
from shim_agent.snapshots.listing import unreadable
from shim_agent.snapshots.observe import Observed, observe
from shim_agent.snapshots.rules import bounded
from shim_agent.snapshots.scan import Scanner, SkippedError
from shim_common.contracts.sessions import FileRef, NewSnapshot, Snapshot
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import BadInput, Conflict, NotFound, TooLarge, Unprocessable

log = structlog.get_logger()

PARALLEL_UPLOADS = 4

MAX_ACTIVE = 1000
"""Files that the contract takes as touched by the session."""

MAX_SESSIONS = 8
"""Sessions of a project whose newest snapshot is remembered; for others the whole list of files is sent anew."""

MAX_CHANGES_IN_A_ROW = 25
"""Snapshots that stand on one another before the whole list of files is sent anew. The server takes some 50."""

_NO_SUCH_BASE = (NotFound, Conflict, BadInput, Unprocessable)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A session's newest snapshot and what it says, so that only the difference is sent next time."""

    snapshot: Snapshot
    observed: Observed
    active: tuple[str, ...]
    changes_in_a_row: int

    def still_holds(self, now: Observed) -> bool:
        """Tell whether nothing differs but the time."""
        return replace(now, taken_at=self.observed.taken_at) == self.observed


class Uploader:
    """Takes snapshots of one project for the sessions that work in it, one at a time."""

    def __init__(self, gateway: Gateway, scanner: Scanner, clock: Clock) -> None:
        self._gateway = gateway
        self._scanner = scanner
        self._clock = clock
        self._newest: dict[str, _Stored] = {}

    async def take(self, session: str, touched: Sequence[str] = (), *, even_unchanged: bool = False) -> Snapshot:
        """Store the project's files as they are; return the snapshot.

        If nothing changed since the newest one, that is returned, unless a new one is wanted all the same.
        `touched` are files that the session's tools named, relative to the project.

        Raises:
            TreeRefused: the project is too large.
            ShimError: SHIM is away, or refuses.
        """
        observed = await asyncio.to_thread(observe, self._scanner, self._clock.now())
        newest = self._newest.get(session)
        if newest is not None and newest.still_holds(observed) and not even_unchanged:
            return newest.snapshot
        base = newest if newest is not None and newest.changes_in_a_row < MAX_CHANGES_IN_A_ROW else None
        active = _active(observed, newest, touched)
        try:
            stored = await self._store(session, observed, base, active)
        except _NO_SUCH_BASE:
            if base is None:
                raise
            stored = await self._store(session, observed, None, active)
        self._newest.pop(session, None)
        self._newest[session] = stored
        while len(self._newest) > MAX_SESSIONS:
            del self._newest[next(iter(self._newest))]
        log.info("snapshot_taken", session=session, files=stored.snapshot.files, bytes=stored.snapshot.bytes)
        return stored.snapshot

    async def _store(self, session: str, observed: Observed, base: _Stored | None, active: tuple[str, ...]) -> _Stored:
        before = base.observed.files if base else {}
        observed = await self._with_contents_stored(observed, _changed(before, observed.files))
        new = NewSnapshot(
            taken_at=observed.taken_at,
            files=list(_changed(before, observed.files).values()),
            base=base.snapshot.id if base else None,
            removed=[path for path in before if path not in observed.files],
            active=list(active),
            modified=observed.work_tree.modified,
            staged=observed.work_tree.staged,
            diff=await self._diff_stored(observed.diff),
            commit=observed.work_tree.commit,
            skipped=bounded(observed.skipped),
        )
        snapshot = await self._gateway.add_snapshot(session, new)
        return _Stored(snapshot, observed, active, base.changes_in_a_row + 1 if base else 0)

    async def _with_contents_stored(self, observed: Observed, changed: Mapping[str, FileRef]) -> Observed:
        """Send the contents that the server lacks; return what then is stored, since files may change meanwhile."""
        files, skipped = dict(observed.files), dict(observed.skipped)
        wanted = {path: ref.sha256 for path, ref in changed.items() if ref.link is None}
        missing = await self._gateway.missing_blobs(sorted(set(wanted.values())))
        sent: set[str] = set()

        async def send(path: str) -> None:
            if files[path].sha256 in sent:
                return
            try:
                contents = await asyncio.to_thread(self._scanner.read, path)
                await self._gateway.put_blob(contents.ref.sha256, contents.data)
            except FileNotFoundError:
                del files[path]
            except OSError as error:
                del files[path]
                skipped[path] = unreadable(error)
            except (SkippedError, TooLarge) as error:
                del files[path]
                skipped[path] = str(error)
            else:
                files[path] = contents.ref
                sent.add(contents.ref.sha256)

        await in_parallel([path for path, sha256 in wanted.items() if sha256 in missing], send, PARALLEL_UPLOADS)
        return replace(observed, files=files, skipped=skipped)

    async def _diff_stored(self, diff: bytes | None) -> str | None:
        if not diff:
            return None
        sha256 = hashlib.sha256(diff).hexdigest()
        if await self._gateway.missing_blobs([sha256]):
            await self._gateway.put_blob(sha256, diff)
        return sha256


def _changed(before: Mapping[str, FileRef], files: Mapping[str, FileRef]) -> dict[str, FileRef]:
    return {path: ref for path, ref in files.items() if before.get(path) != ref}


def _active(observed: Observed, newest: _Stored | None, touched: Sequence[str]) -> tuple[str, ...]:
    """Return the files that the session touched, those that differ from its newest snapshot first."""
    before = newest.observed.files if newest else observed.files
    differing = [*_changed(before, observed.files), *(path for path in before if path not in observed.files)]
    known = newest.active if newest else ()
    return tuple(dict.fromkeys([*differing, *touched, *known]))[:MAX_ACTIVE]
