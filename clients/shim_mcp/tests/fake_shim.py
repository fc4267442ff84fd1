"""A small SHIM: the REST API as the contract has it, with its state in memory."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web
from pydantic import BaseModel, TypeAdapter, ValidationError

from shim_common.contracts.access import Scope
from shim_common.contracts.problems import FieldError, Problem
from shim_common.contracts.search import PassageKind, SearchHit, SearchPage
from shim_common.contracts.sessions import (
    Appended,
    AppendEntries,
    Checkpoint,
    CheckpointPage,
    CheckpointState,
    Confidence,
    Entry,
    EntryPage,
    NewCheckpoint,
    NewSession,
    PendingCall,
    Recovery,
    RiskReport,
    Session,
    SessionPage,
    SessionState,
    Signal,
    SignalReport,
    TaskState,
    Trigger,
)
from shim_common.kernel.ids import SequentialIds

KEY = "shim_reads_writes_and_controls_0123456789"
INGEST_KEY = "shim_ingest_alone_0123456789_0123456789"
NOW = datetime(2026, 11, 20, 17, 45, tzinfo=UTC)
ENTRIES_PER_CHECKPOINT = 2

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """Answered as a problem."""

    def __init__(self, status: int, code: str, detail: str, errors: Sequence[FieldError] = ()) -> None:
        super().__init__(detail)
        self.problem = Problem(title=code, status=status, code=code, detail=detail, errors=list(errors))


@dataclass
class Stored:
    session: Session
    entries: list[Entry] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)


class FakeShim:
    """State, and what a test may set: `interrupted`, `tool_calls`, `raised`; `mood` overrides every answer."""

    def __init__(self) -> None:
        self.url = ""
        self.forget()

    def forget(self) -> None:
        """Be as new."""
        self.keys: dict[str, set[Scope]] = {
            KEY: {Scope.READ, Scope.INGEST, Scope.CONTROL},
            INGEST_KEY: {Scope.INGEST},
        }
        self.stored: dict[str, Stored] = {}
        self.tool_calls: dict[str, str] = {}
        self.interrupted: dict[str, str] = {}
        self.pending: list[PendingCall] = []
        self.alarm = False
        self.callers: list[str] = []
        self.paths: list[str] = []
        self.mood: Handler | None = None
        self._ids = SequentialIds()

    def add_session(self, client_session_id: str, project: str = "/home/ana/webshop") -> Session:
        new = NewSession(client="claude-code", client_session_id=client_session_id, project=project)
        return self._open(new)

    def find(self, session_id: str) -> Stored:
        for stored in self.stored.values():
            if session_id in {stored.session.id, stored.session.client_session_id}:
                return stored
        raise Refused(404, "session_unknown", f"there is no session {session_id}; shim_check_recovery lists some")

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._door])
        app.add_routes(
            [
                web.post("/v1/sessions", self._post_session),
                web.get("/v1/sessions", self._get_sessions),
                web.get("/v1/sessions/{sid}", self._get_session),
                web.delete("/v1/sessions/{sid}", self._delete_session),
                web.post("/v1/sessions/{sid}/entries", self._post_entries),
                web.get("/v1/sessions/{sid}/entries", self._get_entries),
                web.get("/v1/sessions/{sid}/signals", self._get_signals),
                web.post("/v1/sessions/{sid}/checkpoints", self._post_checkpoint),
                web.get("/v1/sessions/{sid}/checkpoints", self._get_checkpoints),
                web.get("/v1/checkpoints/{id}", self._get_checkpoint),
                web.get("/v1/recovery", self._get_recovery),
                web.get("/v1/search", self._get_search),
            ]
        )
        return app

    @web.middleware
    async def _door(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.mood is not None:
            return await self.mood(request)
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.callers.append(key)
        self.paths.append(f"{request.method} {request.raw_path}")
        try:
            self._check(key, request)
            return await handler(request)
        except Refused as refused:
            return problem(refused.problem)
        except ValidationError as error:
            faults = [
                FieldError(pointer="/" + "/".join(str(part) for part in fault["loc"]), detail=fault["msg"])
                for fault in error.errors()
            ]
            return problem(Refused(422, "invalid", "the request is not valid; see errors", faults).problem)

    def _check(self, key: str, request: web.Request) -> None:
        if key not in self.keys:
            raise Refused(401, "key_unknown", "this key is not known; `shim connect` makes a new one")
        needed = {"GET": Scope.READ, "POST": Scope.INGEST, "DELETE": Scope.CONTROL}[request.method]
        if needed not in self.keys[key]:
            raise Refused(403, "scope_missing", f"this needs a key with the scope {needed.value!r}")

    def _open(self, new: NewSession) -> Session:
        for stored in self.stored.values():
            if (stored.session.client, stored.session.client_session_id) == (new.client, new.client_session_id):
                return stored.session
        session = Session(
            id=self._ids.new("ses"),
            chain_id=self._ids.new("chn"),
            client=new.client,
            client_session_id=new.client_session_id,
            client_version=new.client_version,
            model=new.model,
            project=new.project,
            state=SessionState.ACTIVE,
            turn_open=True,
            started_at=NOW,
            last_seen_at=NOW,
            ended_at=None,
            end_reason=None,
            position=0,
            checkpoints=0,
            transcript_bytes=0,
            context_tokens=12_000,
        )
        self.stored[session.id] = Stored(session)
        return session

    async def _post_session(self, request: web.Request) -> web.Response:
        new = NewSession.model_validate_json(await request.read())
        before = len(self.stored)
        session = self._open(new)
        return answer(session, 201 if len(self.stored) > before else 200)

    async def _get_sessions(self, request: web.Request) -> web.Response:
        sessions = [stored.session for stored in reversed(self.stored.values())]
        call = request.query.get("tool_use_id")
        if call is not None:
            sessions = [session for session in sessions if session.id == self.tool_calls.get(call)]
        return answer(SessionPage(items=sessions[: int(request.query["limit"])], next_cursor=None))

    async def _get_session(self, request: web.Request) -> web.Response:
        return answer(self.find(request.match_info["sid"]).session)

    async def _delete_session(self, request: web.Request) -> web.Response:
        del self.stored[self.find(request.match_info["sid"]).session.id]
        return web.Response(status=204)

    async def _post_entries(self, request: web.Request) -> web.Response:
        stored = self.find(request.match_info["sid"])
        append = AppendEntries.model_validate_json(await request.read())
        known = {entry.key for entry in stored.entries}
        fresh = [entry for entry in append.entries if entry.key not in known]
        for new in fresh:
            digest = hashlib.sha256(new.model_dump_json().encode()).hexdigest()
            position = len(stored.entries) + 1
            stored.entries.append(Entry(position=position, hash=digest, **new.model_dump()))
        self._count(stored)
        due = bool(fresh) and len(stored.entries) % ENTRIES_PER_CHECKPOINT == 0
        made = self._make(stored, NewCheckpoint(), Trigger.TOOL_CALLS) if due else None
        return answer(
            Appended(
                position=len(stored.entries),
                appended=len(fresh),
                duplicates=len(append.entries) - len(fresh),
                source_end=None,
                checkpoint_id=made.id if made else None,
            )
        )

    async def _get_entries(self, request: web.Request) -> web.Response:
        entries = self.find(request.match_info["sid"]).entries
        after, limit = int(request.query["after"]), int(request.query["limit"])
        return answer(EntryPage(items=entries[after : after + limit], next_cursor=None))

    async def _get_signals(self, request: web.Request) -> web.Response:
        session = self.find(request.match_info["sid"]).session
        raised = Signal(
            name="context_used",
            at=NOW,
            value=0.5412345,
            threshold=0.5,
            why="54 % of the context window is used; the threshold is 50 %.",
        )
        cleared = raised.model_copy(update={"name": "error_streak", "cleared_at": NOW})
        risk = RiskReport(
            at=NOW,
            probability=0.912345,
            calls_left=4.25,
            calls_left_low=2.0,
            calls_left_high=9.0,
            threshold_tokens=160_000,
            context_tokens=150_000,
            alarm=self.alarm,
            why="10,000 tokens are left below the threshold.",
        )
        return answer(
            SignalReport(
                session_id=session.id,
                measures={"messages": 12.0, "context_used": 0.5412345},
                raised=[raised, cleared],
                risk=risk,
            )
        )

    async def _post_checkpoint(self, request: web.Request) -> web.Response:
        new = NewCheckpoint.model_validate_json(await request.read())
        return answer(self._make(self.find(request.match_info["sid"]), new, new.trigger), 201)

    async def _get_checkpoints(self, request: web.Request) -> web.Response:
        newest = self.find(request.match_info["sid"]).checkpoints[::-1]
        return answer(CheckpointPage(items=newest[: int(request.query["limit"])], next_cursor=None))

    async def _get_checkpoint(self, request: web.Request) -> web.Response:
        for stored in self.stored.values():
            for checkpoint in stored.checkpoints:
                if checkpoint.id == request.match_info["id"]:
                    return answer(_held(stored, checkpoint))
        raise Refused(404, "checkpoint_unknown", "there is no such checkpoint")

    async def _get_recovery(self, request: web.Request) -> web.Response:
        named = request.query.get("session")
        session = self.find(named).session if named else self._last_in(request.query["project"])
        bundle = self.interrupted.get(session.id) if session else None
        return answer(
            Recovery(
                interrupted=bundle is not None,
                session=session if bundle else None,
                confidence=Confidence.CERTAIN if bundle else Confidence.NONE,
                why="its process ended in a turn" if bundle else "no session in this project was interrupted",
                bundle=bundle,
                pending=self.pending if bundle else [],
                resume=["claude", "--resume", session.client_session_id] if bundle and session else None,
            )
        )

    async def _get_search(self, request: web.Request) -> web.Response:
        """Find the word in task states, under the filter for projects."""
        word = request.query["query"]
        found = [
            _hit(stored.session, entry, word)
            for stored in self.stored.values()
            for entry in stored.entries
            if word in str(entry.body.get("operation"))
            and request.query.get("project") in (None, stored.session.project)
            and request.query.get("failed") in (None, "false")
        ]
        limit = int(request.query["limit"])
        return answer(SearchPage(items=found[:limit], next_cursor="more" if len(found) > limit else None))

    def _last_in(self, project: str) -> Session | None:
        found = [stored.session for stored in self.stored.values() if stored.session.project == project]
        return found[-1] if found else None

    def _make(self, stored: Stored, new: NewCheckpoint, trigger: Trigger) -> Checkpoint:
        checkpoint = Checkpoint(
            id=self._ids.new("ckp"),
            session_id=stored.session.id,
            number=len(stored.checkpoints) + 1,
            position=len(stored.entries),
            head="0" * 64,
            trigger=trigger,
            at=NOW,
            note=new.note,
        )
        stored.checkpoints.append(checkpoint)
        self._count(stored)
        return checkpoint

    def _count(self, stored: Stored) -> None:
        counts = {"position": len(stored.entries), "checkpoints": len(stored.checkpoints)}
        stored.session = stored.session.model_copy(update=counts)


def _held(stored: Stored, checkpoint: Checkpoint) -> CheckpointState:
    state = stored.entries[-1].body if stored.entries else {}
    return CheckpointState(
        checkpoint=checkpoint,
        verified=True,
        summary=str(state.get("operation", "")),
        decisions=state.get("decisions", []),
        constraints=[],
        task=TaskState.model_validate(state),
        files_edited=[],
        pending=[],
        messages=len(stored.entries),
        tool_calls=0,
    )


def _hit(session: Session, entry: Entry, word: str) -> SearchHit:
    line = str(entry.body["operation"])
    start = line.index(word)
    return SearchHit(
        session_id=session.id,
        client=session.client,
        client_session_id=session.client_session_id,
        project=session.project,
        model=session.model,
        position=entry.position,
        at=entry.at,
        kind=PassageKind.STATE,
        tools=[],
        failed=False,
        rank=0.1,
        snippet=line,
        marks=[(start, start + len(word))],
    )


def answer(model: BaseModel, status: int = 200) -> web.Response:
    return web.Response(status=status, text=model.model_dump_json(), content_type="application/json")


def problem(found: Problem) -> web.Response:
    text = TypeAdapter(Problem).dump_json(found).decode()
    return web.Response(status=found.status, text=text, content_type="application/problem+json")


async def silent(request: web.Request) -> web.StreamResponse:
    """Listen, take the request, and never answer."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def hangs_up(request: web.Request) -> web.StreamResponse:
    """Take the request and close the connection."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def speaks_html(request: web.Request) -> web.StreamResponse:
    """Answer as some other server behind this address would."""
    return web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html")


async def speaks_of_else(request: web.Request) -> web.StreamResponse:
    """Answer well, in the words of another version."""
    return web.json_response({"words": "other"})


@asynccontextmanager
async def running(shim: FakeShim) -> AsyncGenerator[FakeShim]:
    """Serve on a free loopback port."""
    runner = web.AppRunner(shim.app(), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        shim.url = f"http://{host}:{port}"
        yield shim
    finally:
        await runner.cleanup()
