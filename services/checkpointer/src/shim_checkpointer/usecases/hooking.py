"""What the hooks of Claude Code and of Codex, which are alike, tell, and what is told to them."""

import asyncio
import shlex
from dataclasses import dataclass, field
from datetime import datetime

from shim_checkpointer.domain.bundle import Standing
from shim_checkpointer.domain.clients import HookedClient, resume_command
from shim_checkpointer.domain.digest import call_id
from shim_checkpointer.domain.pending import Observation, reply_subject
from shim_checkpointer.domain.session import CREATED_UNKNOWN, Kept
from shim_checkpointer.domain.text import shorten
from shim_checkpointer.ports import SessionFilter, Unit
from shim_checkpointer.usecases.bundling import build_bundle, prompts_of, refresh_bundle
from shim_checkpointer.usecases.checkpointing import make_checkpoint
from shim_checkpointer.usecases.context import Context, text_of
from shim_checkpointer.usecases.sessions import SessionLife
from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event
from shim_common.contracts.sessions import HookAnswer, NewSession, ProcessRef, SessionState, Trigger
from shim_common.kernel.errors import BadInput

_KEPT = {
    "UserPromptSubmit": ("prompt",),
    "PreToolUse": ("tool_name", "tool_input"),
    "PostToolUse": ("tool_name", "tool_input", "tool_response", "duration_ms"),
    "PostToolUseFailure": ("tool_name", "tool_input", "error", "is_interrupt", "duration_ms"),
    "Stop": ("last_assistant_message",),
    "StopFailure": ("error", "error_details", "last_assistant_message"),
    "PreCompact": ("trigger",),
    "PostCompact": ("trigger", "compact_summary"),
    "SessionEnd": ("reason",),
    "SessionStart": ("source", "model"),
    "SubagentStop": ("agent_id",),
    "Notification": ("notification_type", "message"),
}
"""What is kept of each event; of an event not named here, only that it happened."""
_GOING_ON = ("resume", "compact", "startup")
"""Starts that can find a conversation. One that was killed before its transcript existed starts up under its old id."""


@dataclass
class Snapshots:
    """Lets risky calls wait for the file snapshot that was asked for.

    A session whose snapshot did not come in time is not waited for again until one comes: its project may be one that
    the agent refuses.
    """

    _waiting: dict[str, set[asyncio.Event]] = field(default_factory=dict)
    _unanswered: set[str] = field(default_factory=set)

    def arrived(self, session_id: str) -> None:
        """Say that a snapshot of the session was stored."""
        self._unanswered.discard(session_id)
        for event in self._waiting.get(session_id, ()):
            event.set()

    async def wait(self, session_id: str, seconds: float) -> bool:
        """Wait for the next snapshot; say whether it came in time."""
        if session_id in self._unanswered:
            return False
        event = asyncio.Event()
        waiting = self._waiting.setdefault(session_id, set())
        waiting.add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            self._unanswered.add(session_id)
            return False
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop(session_id, None)
        return True


class Hooking:
    """Takes hook events."""

    def __init__(self, context: Context, life: SessionLife, snapshots: Snapshots) -> None:
        self._context = context
        self._life = life
        self._snapshots = snapshots

    async def take(
        self, client: HookedClient, event: str, payload: JsonObject, pid: int | None, actor: str
    ) -> HookAnswer | None:
        """Store what the hook saw; return what it should print, if anything.

        Raises:
            BadInput: the payload names no session or folder.
        """
        answer, hold = None, False
        async with self._context.store.begin() as unit:
            session, is_new = await self._session(unit, client, payload, pid, actor)
            now = session.hooked_at = self._context.clock.now()
            await unit.hooks.add(session, self._observation(event, payload, now))
            events: list[Event] = []
            if event == "SessionStart":
                answer = await self._on_start(unit, session, payload, events, actor, is_new=is_new)
                session.last_seen_at = now
                if payload.get("source") != "compact":
                    session.process = None
            else:
                session.last_seen_at = now
                hold = await self._on_event(unit, session, event, payload, events, actor)
            if pid is not None and session.process is None:
                session.process = ProcessRef(pid=pid, created=CREATED_UNKNOWN)
            await unit.sessions.save(session)
            await unit.publish(events)
        self._context.ring()
        if hold:
            await self._snapshots.wait(session.id, self._context.parameters.value("hold_risky_call_s"))
        return answer

    async def _session(
        self, unit: Unit, client: HookedClient, payload: JsonObject, pid: int | None, actor: str
    ) -> tuple[Kept, bool]:
        client_session_id, cwd = text_of(payload, "session_id"), text_of(payload, "cwd")
        if client_session_id is None or cwd is None:
            raise BadInput("a hook payload names its session_id and cwd; this one does not", code="not_a_hook_payload")
        before = None
        if pid is not None and payload.get("source") in ("clear", "fork"):
            before = await unit.sessions.of_process(client, pid, client_session_id)
        command = NewSession(
            client=client,
            client_session_id=client_session_id[:200],
            project=cwd[:4096],
            model=(text_of(payload, "model") or "")[:128] or None,
            continues=before.id if before else None,
        )
        return await self._life.find_or_create(unit, command, actor)

    def _observation(self, event: str, payload: JsonObject, now: datetime) -> Observation:
        kept = {name: payload[name] for name in _KEPT.get(event, ()) if payload.get(name) is not None}
        body = self._context.redact(kept)
        words = body.get("last_assistant_message")
        if isinstance(words, str):
            return Observation(kind=event, subject=reply_subject(words), at=now, body=body)
        subject = text_of(payload, "tool_use_id") or text_of(payload, "prompt_id")
        return Observation(kind=event, subject=call_id(subject) if subject else None, at=now, body=body)

    async def _on_event(
        self, unit: Unit, session: Kept, event: str, payload: JsonObject, events: list[Event], actor: str
    ) -> bool:
        """Let the event change the session; say whether the call has to wait for a snapshot."""
        if event == "UserPromptSubmit":
            session.turn_open, session.prompt_id = True, text_of(payload, "prompt_id")
            if session.revive():
                events.append(self._context.event("session.resumed", session, actor, reason="prompt"))
        elif event == "PreToolUse":
            return await self._before_tool(unit, session, payload, events, actor)
        elif event == "Stop":
            session.turn_open = False
            await refresh_bundle(unit, session)
        elif event == "PreCompact":
            _, made = await make_checkpoint(self._context, unit, session, Trigger.COMPACTION, actor)
            events.append(made)
            await refresh_bundle(unit, session)
        elif event == "PostCompact":
            events.append(self._context.event("session.compacted", session, actor, trigger=text_of(payload, "trigger")))
        elif event == "SessionEnd" and not session.turn_open and session.state is SessionState.ACTIVE:
            await self._life.stop(unit, session, text_of(payload, "reason") or "closed", actor)
        return False

    async def _before_tool(
        self, unit: Unit, session: Kept, payload: JsonObject, events: list[Event], actor: str
    ) -> bool:
        session.turn_open = True
        arguments = payload.get("tool_input")
        tool = text_of(payload, "tool_name") or ""
        if not self._context.risky.is_risky(tool, arguments if isinstance(arguments, dict) else {}):
            return False
        _, made = await make_checkpoint(self._context, unit, session, Trigger.RISKY_OPERATION, actor)
        events.append(made)
        return bool(session.processes) or (session.process is not None and session.process.created > 0)

    async def _on_start(
        self, unit: Unit, session: Kept, payload: JsonObject, events: list[Event], actor: str, *, is_new: bool
    ) -> HookAnswer | None:
        source = text_of(payload, "source")
        context = None
        if source in _GOING_ON and await self._has_something(unit, session):
            standing = Standing.COMPACTED if source == "compact" else None
            context, _ = await build_bundle(unit, session, standing)
        if session.revive():
            events.append(self._context.event("session.resumed", session, actor, reason=source))
        if context is not None:
            return _speak(context)
        return await self._mention_others(unit, session) if is_new or source == "startup" else None

    async def _has_something(self, unit: Unit, session: Kept) -> bool:
        return session.position > 0 or bool(prompts_of(session.digest, await unit.hooks.uncovered(session)))

    async def _mention_others(self, unit: Unit, session: Kept) -> HookAnswer | None:
        wanted = SessionFilter(project=session.project, state=SessionState.INTERRUPTED)
        others = [kept for kept in await unit.sessions.page(wanted, None, 5) if kept.id != session.id]
        if not others:
            return None
        newest = others[0]
        prompts = prompts_of(newest.digest, await unit.hooks.uncovered(newest))
        task = shorten(prompts[-1][1] if prompts else "", 120)
        line = (
            f"SHIM: session {newest.client_session_id} in this folder was interrupted at "
            f"{newest.last_seen_at:%Y-%m-%d %H:%M} UTC (task: {task})."
        )
        more = "The tool shim_check_recovery gives its state."
        command = resume_command(newest.client, newest.client_session_id)
        person = f"{line} Continue it with: {shlex.join(command)}" if command else line
        return _speak(f"{line} {more}", person)


def _speak(context: str, person: str | None = None) -> HookAnswer:
    return HookAnswer(
        hookSpecificOutput={"hookEventName": "SessionStart", "additionalContext": context}, systemMessage=person
    )
