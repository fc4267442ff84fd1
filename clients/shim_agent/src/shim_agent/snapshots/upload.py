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

_NO_SUCH_BASE = (NotFound, Conflict, BadInput, Unprocessable)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A session's newest snapshot and what it says, so that only the difference is sent next time."""

    snapshot: Snapshot
    observed: Observed
    active: tuple[str, ...]

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

    async def take(self, session: str, touched: Sequence[str] = ()) -> Snapshot:
        """Store the project's files as they are; return the snapshot, the newest one if nothing changed since.

        `touched` are files that the session's tools named, relative to the project.

        Raises:
            TreeRefused: the project is too large.
            ShimError: SHIM is away, or refuses.
        """
        observed = await asyncio.to_thread(observe, self._scanner, self._clock.now())
        base = self._newest.get(session)
        if base is not None and base.still_holds(observed):
            return base.snapshot
        try:
            stored = await self._store(session, observed, base, touched)
        except _NO_SUCH_BASE:
            if base is None:
                raise
            stored = await self._store(session, observed, None, touched)
        self._newest.pop(session, None)
        self._newest[session] = stored
        while len(self._newest) > MAX_SESSIONS:
            del self._newest[next(iter(self._newest))]
        log.info("snapshot_taken", session=session, files=stored.snapshot.files, bytes=stored.snapshot.bytes)
        return stored.snapshot

    async def _store(self, session: str, observed: Observed, base: _Stored | None, touched: Sequence[str]) -> _Stored:
        before = base.observed.files if base else {}
        changed = {path: ref for path, ref in observed.files.items() if before.get(path) != ref}
        observed = await self._with_contents_stored(observed, changed)
        changed = {path: ref for path, ref in observed.files.items() if before.get(path) != ref}
        removed = [path for path in before if path not in observed.files]
        moved = [*changed, *removed] if base else []
        active = _newest_first([*moved, *touched], base.active if base else ())
        new = NewSnapshot(
            taken_at=observed.taken_at,
            files=list(changed.values()),
            base=base.snapshot.id if base else None,
            removed=removed,
            active=list(active),
            modified=observed.work_tree.modified,
            staged=observed.work_tree.staged,
            diff=await self._diff_stored(observed.diff),
            commit=observed.work_tree.commit,
            skipped=bounded(observed.skipped),
        )
        return _Stored(await self._gateway.add_snapshot(session, new), observed, active)

    async def _with_contents_stored(self, observed: Observed, changed: Mapping[str, FileRef]) -> Observed:
        """Send the contents that the server lacks; return what then is stored, since files may change meanwhile."""
        files, skipped = dict(observed.files), dict(observed.skipped)
        missing = await self._gateway.missing_blobs(sorted({ref.sha256 for ref in changed.values()}))
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

        await in_parallel([path for path, ref in changed.items() if ref.sha256 in missing], send, PARALLEL_UPLOADS)
        return replace(observed, files=files, skipped=skipped)

    async def _diff_stored(self, diff: bytes | None) -> str | None:
        if not diff:
            return None
        sha256 = hashlib.sha256(diff).hexdigest()
        if await self._gateway.missing_blobs([sha256]):
            await self._gateway.put_blob(sha256, diff)
        return sha256


def _newest_first(new: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*new, *known]))[:MAX_ACTIVE]
