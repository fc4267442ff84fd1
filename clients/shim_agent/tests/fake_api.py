"""A small SHIM at the HTTP seam: keeps state, checks every body against the real contract, fails on demand."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

from shim_common.contracts.envelope import Event
from shim_common.contracts.problems import Problem
from shim_common.contracts.sessions import (
    Appended,
    AppendEntries,
    BlobsMissing,
    FileRef,
    Heartbeat,
    MissingBlobs,
    NewEntry,
    NewSession,
    NewSnapshot,
    ProcessExit,
    ProcessRef,
    Session,
    SessionSource,
    SessionState,
    Snapshot,
    SnapshotFiles,
)

KEY = "shim_fake"
BODY_LIMIT = 16 * 1024 * 1024


@dataclass
class StoredSession:
    new: NewSession
    id: str
    state: SessionState = SessionState.ACTIVE
    process: ProcessRef | None = None
    entries: dict[str, NewEntry] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    beats: list[Heartbeat] = field(default_factory=list)
    exits: list[ProcessExit] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)

    def wire(self) -> Session:
        return Session(
            id=self.id,
            chain_id=self.id,
            client=self.new.client,
            client_session_id=self.new.client_session_id,
            client_version=self.new.client_version,
            model=None,
            project=self.new.project,
            state=self.state,
            turn_open=False,
            started_at=datetime(2026, 11, 20, tzinfo=UTC),
            last_seen_at=datetime(2026, 11, 20, tzinfo=UTC),
            ended_at=None,
            end_reason=None,
            position=len(self.entries),
            checkpoints=0,
            transcript_bytes=0,
            context_tokens=0,
            process=self.process,
        )


class Refusal(Exception):
    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class FakeApi:
    """Holds what was sent. `before` may delay, refuse or drop a request by returning what to do with it."""

    def __init__(self) -> None:
        self.sessions: dict[str, StoredSession] = {}
        self.blobs: dict[str, bytes] = {}
        self.snapshots: dict[str, SnapshotFiles] = {}
        self.requests: list[tuple[str, str]] = []
        self.events: list[Event] = []
        self.before: Callable[[web.Request], Awaitable[str | int | None]] | None = None
        self.refuse_entry: Callable[[NewEntry], int | None] = lambda _entry: None
        self.url = ""
        self._changed = asyncio.Condition()

    # --- what tests use

    async def until(self, holds: Callable[[], object], seconds: float = 15.0) -> None:
        """Wait for the state to be so."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: bool(holds()))

    async def changed(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def open(self, client_session_id: str, project: str, process: ProcessRef | None = None) -> StoredSession:
        """Open a session as a hook would."""
        new = NewSession(client="claude-code", client_session_id=client_session_id, project=project)
        session = StoredSession(new, f"ses_{len(self.sessions) + 1}", process=process)
        self.sessions[client_session_id] = session
        return session

    async def emit(self, kind: str, session: StoredSession, **data: object) -> None:
        """Publish an event about a session."""
        self.events.append(
            Event(
                id=f"evt_{len(self.events) + 1}",
                type=kind,
                occurred_at=datetime.now(UTC),
                source="fake",
                subject=session.id,
                actor="fake",
                session_id=session.id,
                data=data,
            )
        )
        await self.changed()

    def count(self, method: str, ending: str) -> int:
        return sum(1 for one in self.requests if one[0] == method and one[1].endswith(ending))

    @asynccontextmanager
    async def serve(self, port: int = 0) -> AsyncIterator[str]:
        """Listen on loopback; yields the address."""
        app = web.Application(client_max_size=BODY_LIMIT, middlewares=[self._guard])
        app.add_routes(
            [
                web.post("/v1/sessions", self._open),
                web.get("/v1/sessions/{sid}", self._session),
                web.get("/v1/sessions/{sid}/sources", self._sources),
                web.post("/v1/sessions/{sid}/entries", self._append),
                web.post("/v1/sessions/{sid}/heartbeat", self._beat),
                web.post("/v1/sessions/{sid}/exit", self._exit),
                web.post("/v1/sessions/{sid}/snapshots", self._add_snapshot),
                web.get("/v1/snapshots/{id}", self._snapshot),
                web.post("/v1/blobs/missing", self._missing),
                web.put("/v1/blobs/{sha}", self._put_blob),
                web.get("/v1/blobs/{sha}", self._blob),
                web.get("/v1/events/stream", self._stream),
            ]
        )
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        server = site._server
        assert isinstance(server, asyncio.Server)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self.url
        finally:
            await runner.cleanup()

    # --- the API

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        self.requests.append((request.method, request.path))
        try:
            if request.headers.get("Authorization") != f"Bearer {KEY}":
                raise Refusal(401, "unauthorized")
            await self._inject(request)
            return await handler(request)
        except ValidationError as error:
            return _problem(422, "unprocessable", str(error.errors()[0]["msg"]))
        except web.HTTPRequestEntityTooLarge:
            return _problem(413, "too_large", "the body is over the limit")
        except Refusal as refusal:
            return _problem(refusal.status, refusal.code, "refused")
        finally:
            await self.changed()

    async def _inject(self, request: web.Request) -> None:
        verdict = await self.before(request) if self.before else None
        if verdict == "drop":
            assert request.transport is not None
            request.transport.abort()
            raise asyncio.CancelledError
        if isinstance(verdict, int):
            raise Refusal(verdict, "injected")

    def _find(self, request: web.Request) -> StoredSession:
        sid = request.match_info["sid"]
        for session in self.sessions.values():
            if sid in (session.id, session.new.client_session_id):
                return session
        raise Refusal(404, "not_found")

    async def _open(self, request: web.Request) -> web.Response:
        new = NewSession.model_validate_json(await request.read())
        known = self.sessions.get(new.client_session_id)
        session = known or self.open(new.client_session_id, new.project)
        session.new = known.new if known else new
        return _answer(session.wire(), 200 if known else 201)

    async def _session(self, request: web.Request) -> web.Response:
        return _answer(self._find(request).wire())

    async def _sources(self, request: web.Request) -> web.Response:
        sources = [SessionSource(file=file, end=end) for file, end in self._find(request).sources.items()]
        return web.json_response([source.model_dump() for source in sources])

    async def _append(self, request: web.Request) -> web.Response:
        session = self._find(request)
        append = AppendEntries.model_validate_json(await request.read())
        for entry in append.entries:
            if status := self.refuse_entry(entry):
                raise Refusal(status, "refused_entry")
        end = None
        entries = append.entries
        if append.source is not None:
            stored = session.sources.get(append.source.file, 0)
            entries = [] if append.source.end <= stored else entries
            end = session.sources[append.source.file] = max(stored, append.source.end)
        before = len(session.entries)
        for entry in entries:
            session.entries.setdefault(entry.key, entry)
        appended = len(session.entries) - before
        return _answer(
            Appended(
                position=len(session.entries),
                appended=appended,
                duplicates=len(append.entries) - appended,
                source_end=end,
            )
        )

    async def _beat(self, request: web.Request) -> web.Response:
        session = self._find(request)
        beat = Heartbeat.model_validate_json(await request.read())
        session.beats.append(beat)
        session.process = beat.process or session.process
        return web.Response(status=204)

    async def _exit(self, request: web.Request) -> web.Response:
        session = self._find(request)
        session.exits.append(ProcessExit.model_validate_json(await request.read()))
        session.state = SessionState.INTERRUPTED
        return _answer(session.wire())

    async def _missing(self, request: web.Request) -> web.Response:
        asked = MissingBlobs.model_validate_json(await request.read())
        return _answer(BlobsMissing(hashes=[one for one in asked.hashes if one not in self.blobs]))

    async def _put_blob(self, request: web.Request) -> web.Response:
        content = await request.read()
        if hashlib.sha256(content).hexdigest() != request.match_info["sha"]:
            raise Refusal(422, "hash_mismatch")
        self.blobs[request.match_info["sha"]] = content
        return web.Response(status=204)

    async def _blob(self, request: web.Request) -> web.Response:
        content = self.blobs.get(request.match_info["sha"])
        if content is None:
            raise Refusal(404, "not_found")
        return web.Response(body=content)

    async def _add_snapshot(self, request: web.Request) -> web.Response:
        session = self._find(request)
        new = NewSnapshot.model_validate_json(await request.read())
        files = self._with_base(new)
        for ref in files.values():
            if any(part in ("", ".", "..") for part in ref.path.split("/")) or "\\" in ref.path:
                raise Refusal(422, "path_outside_project")
            if ref.link is None and ref.sha256 not in self.blobs:
                raise Refusal(422, "blob_missing")
        if new.diff is not None and new.diff not in self.blobs:
            raise Refusal(422, "blob_missing")
        snapshot = Snapshot(
            id=f"snp_{len(self.snapshots) + 1}",
            session_id=session.id,
            position=len(session.entries),
            taken_at=new.taken_at,
            files=len(files),
            bytes=sum(ref.size for ref in files.values()),
        )
        self.snapshots[snapshot.id] = SnapshotFiles(
            snapshot=snapshot,
            files=list(files.values()),
            active=new.active,
            modified=new.modified,
            staged=new.staged,
            diff=new.diff,
            commit=new.commit,
            skipped=new.skipped,
        )
        session.snapshots.append(snapshot.id)
        return _answer(snapshot, 201)

    def _with_base(self, new: NewSnapshot) -> dict[str, FileRef]:
        files: dict[str, FileRef] = {}
        if new.base is not None:
            base = self.snapshots.get(new.base)
            if base is None:
                raise Refusal(404, "not_found")
            files = {ref.path: ref for ref in base.files if ref.path not in new.removed}
        return files | {ref.path: ref for ref in new.files}

    async def _snapshot(self, request: web.Request) -> web.Response:
        found = self.snapshots.get(request.match_info["id"])
        if found is None:
            raise Refusal(404, "not_found")
        return _answer(found)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        types = request.query["types"].split(",")
        last = request.headers.get("Last-Event-ID")
        ids = [event.id for event in self.events]
        position = ids.index(last) + 1 if last in ids else len(self.events)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\n\n")
        while True:
            for event in self.events[position:]:
                position += 1
                if event.type in types:
                    data = event.model_dump_json()
                    await response.write(f"id: {event.id}\nevent: {event.type}\ndata: {data}\n\n".encode())
            async with self._changed:
                while len(self.events) == position:
                    await self._changed.wait()


def _answer(model: BaseModel, status: int = 200) -> web.Response:
    return web.Response(text=model.model_dump_json(), status=status, content_type="application/json")


def _problem(status: int, code: str, detail: str) -> web.Response:
    problem = Problem(title=code, status=status, detail=detail, code=code)
    return web.Response(text=problem.model_dump_json(), status=status, content_type="application/problem+json")


def key_file(folder: Path) -> Path:
    """Write the fake's key where a client reads it."""
    path = folder / "keys" / "agent.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(KEY + "\n")
    return path


Json = dict[str, Any]
