"""The seven tools. Each is one or two calls to SHIM; what they mean is told to the model in their docstrings."""

from datetime import datetime
from typing import Annotated, Literal

from mcp.server.mcpserver import Context
from pydantic import BaseModel, ConfigDict, Field

from shim_common.contracts.base import JsonObject
from shim_common.contracts.search import LONGEST_QUERY
from shim_common.contracts.sessions import AppendEntries, EntryKind, NewCheckpoint, NewEntry
from shim_common.kernel.clock import Clock
from shim_common.kernel.ids import Ids
from shim_mcp.answers import Cleared, Hits, Made, RecoveryAnswer, Saved, Signals, Status
from shim_mcp.api import Api
from shim_mcp.sessions import Sessions, call_id

_LONGEST_KEY = 200
_MOST_HITS = 50
_NAME_IT = "Opened a new session. Give this session_id with every further call."

SessionId = Annotated[
    str,
    Field(min_length=1, max_length=200, description="SHIM's ses_... id, or the client's own."),
]
AnySession = Annotated[
    SessionId | None, Field(description="ses_... or the client's own id; Claude Code may leave it out.")
]
Project = Annotated[
    str | None, Field(min_length=1, max_length=4096, description="Absolute path of the project's folder.")
]
Line = Annotated[str, Field(min_length=1, max_length=1000)]
Lines = Annotated[list[Line], Field(max_length=100)]
FilePath = Annotated[str, Field(min_length=1, max_length=4096)]


class Todo(BaseModel):
    """One thing to do."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    content: Line
    status: Literal["pending", "in_progress", "completed"] = "pending"


class TaskState(BaseModel):
    """What the session is doing, as the model states it. What is not stated stays as it was."""

    model_config = ConfigDict(frozen=True)

    operation: str | None
    phase: str | None
    progress: float | None
    blockers: list[str] | None
    decisions: list[str] | None
    todos: list[Todo] | None
    active_files: list[str] | None

    def stated(self) -> JsonObject:
        """Return what was stated."""
        return self.model_dump(mode="json", exclude_none=True)


class Tools:
    """The tools over one port to SHIM. Every one raises `ApiError`."""

    def __init__(self, api: Api, sessions: Sessions, clock: Clock, ids: Ids) -> None:
        self._api = api
        self._sessions = sessions
        self._clock = clock
        self._ids = ids

    async def auto_checkpoint(
        self,
        context: Context,
        session_id: AnySession = None,
        project: Project = None,
        operation: Annotated[Line | None, Field(description="The task in a sentence.")] = None,
        phase: Annotated[Line | None, Field(description="Where in the task.")] = None,
        progress: Annotated[float | None, Field(ge=0, le=1)] = None,
        blockers: Annotated[Lines | None, Field(description="[] once there are none.")] = None,
        decisions: Annotated[Lines | None, Field(description="New ones, with the reason.")] = None,
        todos: Annotated[list[Todo] | None, Field(max_length=100, description="All of them.")] = None,
        active_files: Annotated[list[FilePath] | None, Field(max_length=200)] = None,
    ) -> Saved:
        """Keep the state of the task, so that it survives a crash or a compaction.

        Call it when task, phase, blockers or todos change, or something is decided. SHIM makes a checkpoint
        if one is due.
        """
        state = TaskState(
            operation=operation,
            phase=phase,
            progress=progress,
            blockers=blockers,
            decisions=decisions,
            todos=todos,
            active_files=active_files,
        )
        session, opened = await self._sessions.known_or_opened(context, session_id, project)
        saved = await self._save(context, session, state.stated())
        return saved.model_copy(update={"note": _NAME_IT}) if opened else saved

    async def check_recovery(
        self, context: Context, session_id: AnySession = None, project: Project = None
    ) -> RecoveryAnswer:
        """Tell whether work was interrupted, what became of the call in flight, and how to go on.

        Call it before work in a project, or with session_id for one session (your own after a compaction).
        """
        if session_id is not None:
            return RecoveryAnswer.of(await self._api.recovery(session_id=session_id))
        folder = await self._sessions.project(context, project)
        return RecoveryAnswer.of(await self._api.recovery(project=folder))

    async def monitor_signals(self, context: Context, session_id: AnySession = None) -> Signals:
        """Show what is measured of a session, the signals that are raised, and how near a compaction is."""
        return Signals.of(await self._api.signals(await self._sessions.known(context, session_id)))

    async def session_status(self, context: Context, session_id: AnySession = None) -> Status:
        """Show where a session stands: its state, what is stored, and its newest checkpoint."""
        session = await self._api.session(await self._sessions.known(context, session_id))
        newest = (await self._api.checkpoints(session.id, limit=1)).items
        return Status.of(session, newest[0] if newest else None)

    async def search(
        self,
        query: Annotated[
            str,
            Field(
                min_length=1,
                max_length=LONGEST_QUERY,
                description='All words must be there and may go on; "a phrase"; -without.',
            ),
        ],
        project: Project = None,
        since: Annotated[datetime | None, Field(description="With time zone.")] = None,
        until: datetime | None = None,
        model: Annotated[str | None, Field(max_length=128, description="Part of its name.")] = None,
        tool: Annotated[str | None, Field(max_length=128, examples=["Bash"])] = None,
        failed: Annotated[bool | None, Field(description="true: only failures.")] = None,
        client: Annotated[str | None, Field(max_length=64)] = None,
        limit: Annotated[int, Field(ge=1, le=_MOST_HITS)] = 10,
    ) -> Hits:
        """Search what was said and done in all sessions: prompts, replies, commands, file names and errors.

        For instance how something was solved before. Outputs of tools are not searched.
        """
        filters = {
            "project": project,
            "since": since.isoformat() if since else None,
            "until": until.isoformat() if until else None,
            "model": model,
            "tool": tool,
            "failed": None if failed is None else str(failed).lower(),
            "client": client,
        }
        return Hits.of(await self._api.search(query, filters, limit=limit))

    async def force_checkpoint(
        self,
        context: Context,
        session_id: AnySession = None,
        note: Annotated[str | None, Field(max_length=2000, description="Why, for whoever returns here.")] = None,
    ) -> Made:
        """Make a checkpoint now, due or not. For instance before something risky."""
        session = await self._sessions.known(context, session_id)
        made = await self._api.make_checkpoint(session, NewCheckpoint(note=note))
        return Made(
            session_id=made.session_id,
            checkpoint_id=made.id,
            number=made.number,
            position=made.position,
            files=made.snapshot_id is not None,
        )

    async def clear_state(self, session_id: SessionId) -> Cleared:
        """Delete everything SHIM stores of a session: log, checkpoints, files. It cannot be undone.

        Only when the user asks for it.
        """
        session = await self._api.session(session_id)
        await self._api.clear_session(session.id)
        return Cleared(session_id=session.id, entries=session.position, checkpoints=session.checkpoints)

    async def _save(self, context: Context, session_id: str, stated: JsonObject) -> Saved:
        if not stated:
            session = await self._api.session(session_id)
            note = f"No task state was given, so nothing was added. Checkpoints so far: {session.checkpoints}."
            return Saved(session_id=session.id, state_saved=False, position=session.position, note=note)
        entry = NewEntry(
            key=self._key(context),
            kind=EntryKind.STATE,
            at=self._clock.now(),
            body=stated,
        )
        appended = await self._api.append(session_id, AppendEntries(entries=[entry]))
        return Saved(
            session_id=session_id,
            state_saved=True,
            position=appended.position,
            checkpoint_id=appended.checkpoint_id,
        )

    def _key(self, context: Context) -> str:
        """Name the entry by the call, so that a call that the transport repeats is stored once."""
        call = call_id(context)
        return self._ids.new("mcp") if call is None else f"mcp:{call}"[:_LONGEST_KEY]
