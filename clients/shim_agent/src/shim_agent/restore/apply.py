"""Carries a restore out: backup, contents, files, proof."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import structlog

from shim_agent.gateway import Gateway
from shim_agent.parallel import in_parallel
from shim_agent.restore.plan import Action, RestorePlan
from shim_agent.restore.tree import Tree
from shim_agent.snapshots.rules import Limits, TreeRefused
from shim_agent.snapshots.scan import Scanner
from shim_agent.snapshots.upload import Uploader
from shim_common.contracts.sessions import FileRef, Snapshot
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Conflict

log = structlog.get_logger()

PARALLEL_FETCHES = 4


class ContentDamaged(Conflict):
    """A content is not what its hash says."""

    code = "content_damaged"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore did.

    `backup` is a folder with every file that was replaced or deleted, None where there was none; `before` is the
    snapshot of the state before a restore in place, None where the project is too large for one.
    """

    written: int
    deleted: int
    backup: Path | None = None
    before: Snapshot | None = None


async def restore(
    plan: RestorePlan,
    gateway: Gateway,
    home: Path,
    clock: Clock,
    *,
    session: str,
    without: Collection[Path] = (),
) -> Restored:
    """Do what the plan says. Before a restore in place, the present state is kept in two ways.

    The session gets a snapshot of it, and what will be replaced or deleted is copied to `home/backups/<time>`.

    Raises:
        RestoreBlocked: something came in the way since the plan was made; what was written so far stays.
        ContentDamaged: a content is not what its hash says; before the first file is touched, nothing was done.
        ShimError: SHIM is away or lacks a content; nothing was done.
    """
    backups = home / "backups"
    backups.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=backups, prefix=".contents-") as folder:
        contents = _Contents(Path(folder))
        await contents.fetch(plan, gateway)
        if not plan.in_place:
            return await asyncio.to_thread(_write, plan, contents)
        before = await _present_state(plan.folder, gateway, clock, session, without)
        kept_in = backups / clock.now().strftime("%Y-%m-%dT%H-%M-%S.%fZ")
        kept = await asyncio.to_thread(_copy_aside, plan, kept_in)
        done = await asyncio.to_thread(_write, plan, contents)
    return Restored(done.written, done.deleted, kept_in if kept else None, before)


class _Contents:
    """The contents that a restore needs, checked and held in a folder of their own until they are written."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def fetch(self, plan: RestorePlan, gateway: Gateway) -> None:
        needed = {change.ref.sha256 for change in plan.changes if change.ref and change.ref.link is None}

        async def fetch_one(digest: str) -> None:
            data = await gateway.blob(digest)
            if sha256(data).hexdigest() != digest:
                raise ContentDamaged(f"the stored content {digest} is damaged; nothing was restored")
            await asyncio.to_thread((self._folder / digest).write_bytes, data)

        await in_parallel(sorted(needed), fetch_one, PARALLEL_FETCHES)

    def of(self, ref: FileRef) -> bytes:
        """Return what goes into a file, or the target of a link."""
        return os.fsencode(ref.link) if ref.link is not None else (self._folder / ref.sha256).read_bytes()


async def _present_state(
    project: Path, gateway: Gateway, clock: Clock, session: str, without: Collection[Path]
) -> Snapshot | None:
    try:
        return await Uploader(gateway, Scanner(project, Limits(), without), clock).take(session)
    except TreeRefused as error:
        log.warning("no_snapshot_before_restore", reason=error.detail)
        return None


def _copy_aside(plan: RestorePlan, destination: Path) -> int:
    """Copy what will be replaced or deleted; return how many files that are."""
    copied = 0
    for change in plan.changes:
        source = plan.folder / change.path
        if change.action is Action.CREATE or not (source.is_symlink() or source.is_file()):
            continue
        target = destination / change.path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
        copied += 1
    return copied


def _write(plan: RestorePlan, contents: _Contents) -> Restored:
    """Delete and write, then read back what was written."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    tree = Tree(plan.folder)
    deleted = [change.path for change in plan.changes if change.ref is None]
    wanted = [change.ref for change in plan.changes if change.ref is not None]
    for path in deleted:
        tree.delete(path)
    for ref in wanted:
        tree.write(ref, contents.of(ref))
    for ref in wanted:
        mode, data = tree.read(ref.path)
        if (mode, sha256(data).hexdigest()) != (ref.mode, ref.sha256):
            raise ContentDamaged(f"{plan.folder / ref.path} was written but does not read back the same")
    return Restored(len(wanted), len(deleted))
