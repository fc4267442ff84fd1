"""Reading logs and checkpoints back, and proving them whole."""

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel

from shim_checkpointer.domain import log
from shim_checkpointer.domain.digest import Digest, fold
from shim_checkpointer.domain.pending import pending_calls
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.ports import Unit
from shim_checkpointer.usecases.bundling import build_bundle
from shim_checkpointer.usecases.checkpointing import make_checkpoint, uuid_of
from shim_checkpointer.usecases.context import Context, session_of
from shim_common.contracts.sessions import (
    Checkpoint,
    CheckpointState,
    Entry,
    Integrity,
    NewCheckpoint,
    TaskState,
)
from shim_common.kernel.errors import Conflict, NotFound
from shim_common.kernel.idempotency import Once, once


class Viewing:
    """Checkpoints and logs as they are read."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def entries(self, sid: str, after: int, limit: int) -> list[Entry]:
        """Return entries behind a position, oldest first.

        Raises:
            NotFound: there is no such session.
            Conflict: a stored entry is damaged.
        """
        async with self._context.store.look() as unit:
            payloads = await unit.log.read(await session_of(unit, sid), after, limit)
        return [_entry(after + offset, payload) for offset, payload in enumerate(payloads, start=1)]

    async def integrity(self, sid: str) -> Integrity:
        """Recompute every hash of the session's log.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.look() as unit:
            session = await session_of(unit, sid)
            try:
                payloads = await unit.log.read(session, 0, session.position)
            except Conflict as error:
                return _verdict(session, session.position, session.head, error.detail)
        head = log.advance(log.GENESIS, payloads)
        whole = head == session.head and len(payloads) == session.position
        trouble = None if whole else f"the log should have {session.position} entries and another head"
        return _verdict(session, len(payloads), head, trouble)

    async def make(self, sid: str, command: NewCheckpoint, actor: str, request: Once | None) -> tuple[int, bytes]:
        """Make a checkpoint on demand.

        Raises:
            NotFound: there is no such session.
        """
        note = None if command.note is None else self._context.clean(command.note)
        async with self._context.store.begin() as unit:

            async def make() -> tuple[int, BaseModel]:
                session = await session_of(unit, sid, lock=True)
                checkpoint, event = await make_checkpoint(self._context, unit, session, command.trigger, actor, note)
                session.bundle, _ = await build_bundle(unit, session)
                await unit.sessions.save(session)
                await unit.publish([event])
                return 201, checkpoint

            answer = await once(unit.requests, request, make, self._context.clock.now())
        self._context.ring()
        return answer

    async def page(self, sid: str, before: int | None, limit: int) -> list[Checkpoint]:
        """Return checkpoints of a session, newest first.

        Raises:
            NotFound: there is no such session.
        """
        async with self._context.store.begin() as unit:
            return await unit.checkpoints.page(await session_of(unit, sid), before, limit)

    async def state(self, checkpoint_id: str) -> CheckpointState:
        """Return what a checkpoint holds, verified by its head.

        Raises:
            NotFound: there is no such checkpoint.
            Conflict: a stored entry is damaged.
        """
        async with self._context.store.look() as unit:
            checkpoint = await self._find(unit, checkpoint_id)
            session = await session_of(unit, checkpoint.session_id)
            payloads = await unit.log.read(session, 0, checkpoint.position)
            is_newest = checkpoint.position == session.position
            seen = await unit.hooks.uncovered(session) if is_newest else []
        digest = await asyncio.to_thread(_folded, payloads)
        verified = log.advance(log.GENESIS, payloads).hex() == checkpoint.head
        pending = pending_calls(digest.open_calls, seen, session.processes if is_newest else [], digest.settled_at)
        return CheckpointState(
            checkpoint=checkpoint,
            verified=verified,
            summary=digest.summary or digest.last_reply or digest.first_prompt or "",
            decisions=digest.decisions,
            constraints=digest.constraints,
            task=_task(digest),
            files_edited=list(digest.files),
            pending=pending,
            messages=digest.messages,
            tool_calls=digest.tool_calls,
        )

    async def _find(self, unit: Unit, checkpoint_id: str) -> Checkpoint:
        try:
            found = await unit.checkpoints.find(uuid_of(checkpoint_id))
        except ValueError:
            found = None
        if found is None:
            raise NotFound(f"there is no checkpoint {checkpoint_id!r}", code="checkpoint_not_found")
        return found


def _folded(payloads: Sequence[bytes]) -> Digest:
    return fold(log.decode(payload) for payload in payloads)


def _verdict(session: Kept, entries: int, head: bytes, trouble: str | None) -> Integrity:
    return Integrity(
        session_id=session.id,
        entries=entries,
        head=head.hex(),
        verified=trouble is None,
        detail=trouble or "every hash matches",
    )


def _entry(position: int, payload: bytes) -> Entry:
    entry = log.decode(payload)
    return Entry(
        position=position,
        key=entry.key,
        kind=entry.kind,
        at=entry.at,
        hash=log.entry_hash(payload).hex(),
        body=entry.body,
    )


def _task(digest: Digest) -> TaskState:
    stated = digest.stated
    return TaskState(
        operation=stated.get("operation") or (digest.prompts[-1][1] if digest.prompts else None),
        phase=stated.get("phase"),
        progress=stated.get("progress"),
        blockers=stated.get("blockers", []),
        todos=digest.todos,
    )
