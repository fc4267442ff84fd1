"""Taking entries into a session's log: the heart of the service.

One transaction stores the entries, moves the digest, signals and risk, makes a checkpoint where one is
due, and writes the events. Answered means committed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shim_checkpointer.domain import log, triggers
from shim_checkpointer.domain.digest import call_id, is_no_outcome, plain_text
from shim_checkpointer.domain.log import LogEntry
from shim_checkpointer.domain.passages import Passage, passage_of
from shim_checkpointer.domain.pending import reply_subject
from shim_checkpointer.domain.session import Kept
from shim_checkpointer.ports import Unit
from shim_checkpointer.usecases.checkpointing import make_checkpoint
from shim_checkpointer.usecases.context import Context, session_of
from shim_checkpointer.usecases.signalling import Signalling
from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import (
    Appended,
    AppendEntries,
    EntryKind,
    NewEntry,
    SessionState,
    SourceSpan,
    Trigger,
)
from shim_common.kernel.clock import aware
from shim_common.kernel.errors import Unprocessable

_THREAD_ABOVE = 64
"""Entries from which a batch is redacted in a thread, so that other requests are not kept waiting."""


@dataclass(frozen=True)
class Prepared:
    """An entry ready to be stored."""

    key: bytes
    entry: LogEntry
    payload: bytes
    packed: bytes


class Appending:
    """Appends entries."""

    def __init__(self, context: Context, signalling: Signalling) -> None:
        self._context = context
        self._signalling = signalling

    async def append(self, sid: str, command: AppendEntries, actor: str) -> Appended:
        """Append entries from a client.

        Raises:
            NotFound: there is no such session.
            Unprocessable: the source's end lies before its start.
        """
        if command.source is not None and command.source.end < command.source.start:
            raise Unprocessable("the end of the source lies before its start", code="bad_span")
        prepared = await self._prepare(command.entries)
        async with self._context.store.begin() as unit:
            session = await session_of(unit, sid, lock=True)
            fresh, stored_to = await self._fresh(unit, session, prepared, command.source)
            source = command.source if command.source and command.source.end > stored_to else None
            checkpoint_id = await self._take(unit, session, fresh, actor, source)
        self._context.ring()
        return Appended(
            position=session.position,
            appended=len(fresh),
            duplicates=len(prepared) - len(fresh),
            source_end=max(stored_to, command.source.end) if command.source else None,
            checkpoint_id=checkpoint_id,
            hooked_at=session.hooked_at,
        )

    async def _take(
        self, unit: Unit, session: Kept, fresh: Sequence[Prepared], actor: str, source: SourceSpan | None = None
    ) -> str | None:
        """Put fresh entries behind the log and let everything follow; return the checkpoint made, if any.

        `source` is given where it is stored further than before.
        """
        if fresh or source:
            await self._extend(unit, session, fresh, source)
        session.last_seen_at = self._context.clock.now()
        if _log_is_ahead(session):
            session.turn_open = session.digest.turn_open
        session.model = session.digest.model or session.model
        session.client_version = session.digest.client_version or session.client_version
        events = await self._signalling.judge(unit, session, [item.entry for item in fresh], actor)
        if session.state is SessionState.INTERRUPTED and not session.turn_open:
            events.append(self._ended_after_all(session, actor))
        checkpoint_id = await self._checkpoint_if_due(unit, session, actor, events)
        await unit.sessions.save(session)
        await unit.publish(events)
        return checkpoint_id

    def _ended_after_all(self, session: Kept, actor: str) -> Event:
        """Take back an interruption: the end of the turn was written before the process ended, and is read only now."""
        session.state = SessionState.ENDED
        return self._context.event("session.ended", session, actor, reason=session.end_reason, exit_code=None)

    async def _prepare(self, entries: Sequence[NewEntry]) -> list[Prepared]:
        if len(entries) > _THREAD_ABOVE:
            return await asyncio.to_thread(self.prepare, entries)
        return self.prepare(entries)

    def prepare(self, entries: Sequence[NewEntry]) -> list[Prepared]:
        """Redact, encode and pack entries."""
        redacted = self._context.redact({"bodies": [new.body for new in entries]})["bodies"]
        return [
            _prepared(LogEntry(new.key, new.kind, aware(new.at), body))
            for new, body in zip(entries, redacted, strict=True)
        ]

    async def _fresh(
        self, unit: Unit, session: Kept, prepared: Sequence[Prepared], source: SourceSpan | None
    ) -> tuple[list[Prepared], int]:
        """Leave out what is stored already; say how far the source is stored.

        Sealed entries are looked through only when they could be meant.
        """
        file = source.file if source else None
        known, stored_to = await unit.log.stored(session, [item.key for item in prepared], file)
        if source is not None and source.end <= stored_to:
            return [], stored_to
        follows_on = source is not None and source.start >= stored_to
        if session.sealed and not follows_on:
            known |= {log.key_digest(log.decode(payload).key) for payload in await unit.log.sealed(session)}
        fresh: list[Prepared] = []
        for item in prepared:
            if item.key not in known:
                known.add(item.key)
                fresh.append(item)
        return fresh, stored_to

    async def _extend(self, unit: Unit, session: Kept, fresh: Sequence[Prepared], source: SourceSpan | None) -> None:
        await unit.log.add(session, [(item.key, item.packed) for item in fresh], source)
        size = sum(len(item.payload) for item in fresh)
        session.head = log.advance(session.head, (item.payload for item in fresh))
        passages: list[Passage] = []
        for position, item in enumerate(fresh, start=session.position + 1):
            if passage := passage_of(position, item.entry, session.digest):
                passages.append(passage)
            session.digest.add(item.entry)
        await unit.passages.add(session.no, passages)
        session.position += len(fresh)
        session.tail_bytes += size
        session.fresh_bytes += size
        covered = [subject for item in fresh for subject in covered_by(item.entry)]
        if covered and session.hooked_at is not None:
            await unit.hooks.cover(session, covered)

    async def _checkpoint_if_due(self, unit: Unit, session: Kept, actor: str, events: list[Event]) -> str | None:
        every = int(self._context.parameters.value("checkpoint_every", session.chain_id))
        risk_up = any(event.type == "signal.raised" and event.data.get("name") == "risk" for event in events)
        if not risk_up and not triggers.due(session.digest.finished_calls, session.checkpointed_calls, every):
            return None
        trigger = Trigger.RISK if risk_up else Trigger.TOOL_CALLS
        checkpoint, event = await make_checkpoint(self._context, unit, session, trigger, actor)
        events.append(event)
        return checkpoint.id


def _prepared(entry: LogEntry) -> Prepared:
    payload = log.encode(entry)
    return Prepared(log.key_digest(entry.key), entry, payload, log.pack(payload))


def _log_is_ahead(session: Kept) -> bool:
    """Whether the log knows better than the hooks where the turn stands: it does where hooks were missed."""
    turn_at = session.digest.turn_at
    return session.hooked_at is None or (turn_at is not None and datetime.fromisoformat(turn_at) > session.hooked_at)


def covered_by(entry: LogEntry) -> list[str]:
    """Return the calls whose result, the prompts whose text, and the replies whose words this entry brings."""
    if entry.kind is EntryKind.TOOL_RESULT:
        return [call_id(entry.body.get("id", entry.body.get("tool_use_id")))]
    message = entry.body.get("message")
    if entry.kind is not EntryKind.MESSAGE or not isinstance(message, dict):
        return []
    content = message.get("content")
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    if message.get("role") == "assistant":
        words = [block["text"] for block in blocks if isinstance(block.get("text"), str)]
        return [reply_subject(part) for part in {*words, "\n".join(words), "\n\n".join(words), plain_text(content)}]
    prompt_id = entry.body.get("promptId")
    subjects = [call_id(block["tool_use_id"]) for block in blocks if _is_result(block)]
    return [*subjects, call_id(prompt_id)] if isinstance(prompt_id, str) else subjects


def _is_result(block: JsonObject) -> bool:
    is_one = block.get("type") == "tool_result" and "tool_use_id" in block
    return is_one and not is_no_outcome(plain_text(block.get("content")))
