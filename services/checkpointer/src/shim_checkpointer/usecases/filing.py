"""File contents and snapshots: exact, encrypted, each content once."""

import asyncio
import hashlib
from collections.abc import Sequence
from uuid import UUID

from pydantic import BaseModel

from shim_checkpointer.ports import Manifest, Unit
from shim_checkpointer.usecases.checkpointing import uuid_of
from shim_checkpointer.usecases.context import Context, session_of
from shim_checkpointer.usecases.hooking import Snapshots
from shim_common.contracts.sessions import FileRef, NewSnapshot, Snapshot, SnapshotFiles
from shim_common.kernel.errors import NotFound, Unprocessable
from shim_common.kernel.idempotency import Once, once

_LONGEST_CHAIN = 50
"""Changes that may stand on one another before a whole manifest has to be sent."""


class Filing:
    """Stores and returns files."""

    def __init__(self, context: Context, snapshots: Snapshots) -> None:
        self._context = context
        self._snapshots = snapshots

    async def missing(self, hashes: list[str]) -> list[str]:
        """Return those of the contents that must still be sent."""
        async with self._context.store.begin() as unit:
            return [sha.hex() for sha in await unit.files.missing([bytes.fromhex(sha) for sha in hashes])]

    async def put(self, sha256: str, content: bytes) -> None:
        """Store a content.

        Raises:
            Unprocessable: the content does not have this hash.
        """
        digest = bytes.fromhex(sha256)
        if hashlib.sha256(content).digest() != digest:
            raise Unprocessable(
                "the content does not have the hash in the path; nothing was stored", code="hash_differs"
            )
        key_no, secret = await asyncio.to_thread(self._context.cipher.encrypt, content, digest)
        async with self._context.store.begin() as unit:
            await unit.files.put(digest, len(content), self._context.clock.now(), key_no, secret)

    async def get(self, sha256: str) -> bytes:
        """Return a content, verified.

        Raises:
            NotFound: it is not stored.
            Conflict: the stored bytes were changed.
        """
        digest = bytes.fromhex(sha256)
        async with self._context.store.begin() as unit:
            found = await unit.files.get(digest)
        if found is None:
            raise NotFound(f"there is no content {sha256}", code="blob_not_found")
        return await asyncio.to_thread(self._context.cipher.decrypt, *found, digest)

    async def add(self, sid: str, command: NewSnapshot, request: Once | None) -> tuple[int, bytes]:
        """Store a snapshot whose contents are all there.

        Raises:
            NotFound: there is no such session or base.
            Unprocessable: a path leaves the project, a content is missing, or the base cannot be built on.
        """
        for ref in command.files:
            _check_path(ref.path)
        async with self._context.store.begin() as unit:

            async def make() -> tuple[int, BaseModel]:
                return 201, await self._store(unit, sid, command)

            answer = await once(unit.requests, request, make, self._context.clock.now())
        self._snapshots.arrived(await self._session_id(sid))
        return answer

    async def _session_id(self, sid: str) -> str:
        async with self._context.store.begin() as unit:
            return (await session_of(unit, sid)).id

    async def _store(self, unit: Unit, sid: str, command: NewSnapshot) -> Snapshot:
        session = await session_of(unit, sid)
        await unit.files.hold()
        wanted = {ref.sha256 for ref in command.files if ref.link is None} | ({command.diff} if command.diff else set())
        missing = await unit.files.missing([bytes.fromhex(sha) for sha in wanted])
        if missing:
            raise Unprocessable(
                f"{len(missing)} contents are not stored yet, the first is {missing[0].hex()}; send them first",
                code="blobs_missing",
            )
        base = await self._chain(unit, command.base) if command.base else []
        _check_base(session.id, base)
        files = _applied(_files_of(base), command)
        snapshot = Snapshot(
            id=self._context.ids.new("snp"),
            session_id=session.id,
            position=session.position,
            taken_at=command.taken_at,
            files=len(files),
            bytes=sum(ref.size for ref in files.values()),
        )
        document = command.model_dump(mode="json", exclude={"taken_at", "base"})
        await unit.files.add_snapshot(
            session, Manifest(snapshot, uuid_of(command.base) if command.base else None, document)
        )
        return snapshot

    async def snapshots(self, sid: str, limit: int) -> list[Snapshot]:
        """Return a session's snapshots, newest first.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.begin() as unit:
            return await unit.files.snapshots(await session_of(unit, sid), limit)

    async def files(self, snapshot_id: str) -> SnapshotFiles:
        """Return the whole manifest of a snapshot.

        Raises:
            NotFound: there is no such snapshot.
        """
        async with self._context.store.look() as unit:
            manifest = await _manifest(unit, snapshot_id)
            files = _files_of(await self._chain(unit, snapshot_id))
        document = manifest.document
        return SnapshotFiles(
            snapshot=manifest.snapshot,
            files=[files[path] for path in sorted(files)],
            active=document["active"],
            modified=document["modified"],
            staged=document["staged"],
            diff=document["diff"],
            commit=document["commit"],
            skipped=document["skipped"],
        )

    async def _chain(self, unit: Unit, snapshot_id: str) -> list[Manifest]:
        """Return a snapshot and those that it is a change to, newest first."""
        chain: list[Manifest] = []
        wanted: str | None = snapshot_id
        while wanted is not None:
            chain.append(await _manifest(unit, wanted))
            wanted = _snapshot_id(chain[-1].base)
        return chain


def _files_of(chain: Sequence[Manifest]) -> dict[str, FileRef]:
    """Return every file of a snapshot by applying its changes to those of its base."""
    files: dict[str, FileRef] = {}
    for manifest in reversed(chain):
        for path in manifest.document["removed"]:
            files.pop(path, None)
        files.update({ref["path"]: FileRef(**ref) for ref in manifest.document["files"]})
    return files


def _check_base(session_id: str, chain: Sequence[Manifest]) -> None:
    if len(chain) >= _LONGEST_CHAIN:
        raise Unprocessable("too many changes stand on one another; send the whole manifest", code="base_too_far")
    if any(manifest.snapshot.session_id != session_id for manifest in chain):
        raise Unprocessable(
            "the base belongs to another session, with which it would go; send the whole manifest",
            code="base_of_other_session",
        )


def _applied(base: dict[str, FileRef], command: NewSnapshot) -> dict[str, FileRef]:
    kept = {path: ref for path, ref in base.items() if path not in set(command.removed)}
    return kept | {ref.path: ref for ref in command.files}


async def _manifest(unit: Unit, snapshot_id: str) -> Manifest:
    try:
        found = await unit.files.snapshot(uuid_of(snapshot_id))
    except ValueError:
        found = None
    if found is None:
        raise NotFound(f"there is no snapshot {snapshot_id!r}", code="snapshot_not_found")
    return found


def _snapshot_id(base: UUID | None) -> str | None:
    return f"snp_{base.hex}" if base else None


def _check_path(path: str) -> None:
    if "\\" in path or any(part in ("..", ".", "") for part in path.split("/")):
        raise Unprocessable(f"{path!r} is not a path inside the project", code="path_outside_project")
