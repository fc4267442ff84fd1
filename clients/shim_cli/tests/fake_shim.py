"""A small SHIM on loopback: the REST API as the contract has it, with its state in memory, in a thread."""

import hashlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, TypeAdapter, ValidationError

from shim_common.contracts import access
from shim_common.contracts import search as searched
from shim_common.contracts import sessions as wire
from shim_common.contracts.envelope import Event
from shim_common.contracts.problems import FieldError, Problem
from shim_common.redaction import redact_json

ADMIN_KEY = "shim_administers_everything_0123456789abcdef"
INGEST_KEY = "shim_adds_to_sessions_alone_0123456789abcdef"
NOW = datetime(2026, 11, 20, 17, 45, tzinfo=UTC)
ENTRIES_PER_CHECKPOINT = 5
PAGE = 50


class Refused(Exception):
    """Answered as a problem."""

    def __init__(self, status: int, code: str, detail: str, errors: list[FieldError] | None = None) -> None:
        super().__init__(detail)
        self.problem = Problem(title=code, status=status, code=code, detail=detail, errors=errors or [])


@dataclass
class Stored:
    session: wire.Session
    entries: list[wire.Entry] = field(default_factory=list)
    checkpoints: list[wire.Checkpoint] = field(default_factory=list)
    sources: dict[str, int] = field(default_factory=dict)

    def change(self, **values: Any) -> None:
        self.session = self.session.model_copy(update=values)


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass
class FakeShim:
    """The state; `trouble` answers the next requests instead, `tamper` changes what is stored."""

    sessions: dict[str, Stored] = field(default_factory=dict)
    hits: list[searched.SearchHit] = field(default_factory=list)
    hooks: list[tuple[str, dict[str, Any], str | None]] = field(default_factory=list)
    beats: list[wire.Heartbeat] = field(default_factory=list)
    exits: list[wire.ProcessExit] = field(default_factory=list)
    snapshots: dict[str, wire.SnapshotFiles] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    keys: list[access.Key] = field(default_factory=list)
    recovery: wire.Recovery | None = None
    trouble: list[int] = field(default_factory=list)
    tamper: Callable[[wire.Entry], wire.Entry | None] = lambda entry: entry
    is_another_program: bool = False
    requests: list[Request] = field(default_factory=list)
    url: str = ""

    def forget(self) -> None:
        """Be as new, at the same address."""
        vars(self).update(vars(FakeShim(url=self.url)))

    def answer(self, request: Request) -> tuple[int, bytes]:
        self.requests.append(request)
        if self.is_another_program:
            return 200, b"<html>"
        if self.trouble and (status := self.trouble.pop(0)):
            raise Refused(status, "unavailable", "the database is away; try again")
        if request.headers.get("authorization") not in (f"Bearer {ADMIN_KEY}", f"Bearer {INGEST_KEY}"):
            raise Refused(401, "unauthorized", "give a key as a bearer token")
        for method, pattern, handler in ROUTES:
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                status, body = handler(self, request, *map(unquote, found.groups()))
                return status, b"" if body is None else body if isinstance(body, bytes) else encode(body)
        raise Refused(404, "not_found", f"there is nothing at {request.path}")

    def find(self, sid: str) -> Stored:
        for stored in self.sessions.values():
            if sid in (stored.session.id, stored.session.client_session_id):
                return stored
        raise Refused(404, "session_not_found", f"there is no session {sid!r}; `shim sessions` lists them")

    def add_session(self, **values: Any) -> Stored:
        """Put a session there, as if it had been opened earlier."""
        number = len(self.sessions) + 1
        facts: dict[str, Any] = {
            "id": f"ses_{number}",
            "chain_id": f"chn_{number}",
            "client": "claude-code",
            "client_session_id": f"client-{number}",
            "client_version": None,
            "model": None,
            "project": "/home/ana/webshop",
            "state": wire.SessionState.ACTIVE,
            "turn_open": False,
            "started_at": NOW,
            "last_seen_at": NOW,
            "ended_at": None,
            "end_reason": None,
            "position": 0,
            "checkpoints": 0,
            "transcript_bytes": 0,
            "context_tokens": 0,
        }
        stored = Stored(wire.Session.model_validate(facts | values))
        self.sessions[stored.session.id] = stored
        return stored

    def search(self, request: Request) -> tuple[int, Any]:
        """Find everything that is set, page by page; a query without letters is refused."""
        if not any(map(str.isalnum, request.query["query"])):
            raise Refused(422, "no_words", "the query names no word to look for")
        start, limit = int(request.query.get("cursor", 0)), int(request.query["limit"])
        following = str(start + limit) if start + limit < len(self.hits) else None
        return 200, searched.SearchPage(items=self.hits[start : start + limit], next_cursor=following)

    def open_session(self, request: Request) -> tuple[int, Any]:
        new = read(wire.NewSession, request)
        try:
            return 200, self.find(new.client_session_id).session
        except Refused:
            return 201, self.add_session(**new.model_dump(exclude={"continues"})).session

    def list_sessions(self, request: Request) -> tuple[int, Any]:
        wanted = request.query
        found = [
            stored.session
            for stored in reversed(self.sessions.values())
            if wanted.get("project") in (None, stored.session.project)
            and wanted.get("state") in (None, stored.session.state.value)
        ]
        start, limit = int(wanted.get("cursor", 0)), int(wanted["limit"])
        following = str(start + limit) if start + limit < len(found) else None
        return 200, wire.SessionPage(items=found[start : start + limit], next_cursor=following)

    def session(self, _: Request, sid: str) -> tuple[int, Any]:
        return 200, self.find(sid).session

    def delete(self, _: Request, sid: str) -> tuple[int, Any]:
        del self.sessions[self.find(sid).session.id]
        return 204, None

    def append(self, request: Request, sid: str) -> tuple[int, Any]:
        stored, new = self.find(sid), read(wire.AppendEntries, request)
        end = stored.sources.get(new.source.file, 0) if new.source else 0
        is_known = new.source is not None and bool(new.entries) and new.source.end <= end
        keys = {entry.key for entry in stored.entries}
        fresh = [] if is_known else [entry for entry in new.entries if entry.key not in keys]
        checkpoint = None
        for entry in fresh:
            kept = self.tamper(self.kept(entry, len(stored.entries) + 1))
            stored.entries += [kept] if kept else []
        if len(stored.entries) // ENTRIES_PER_CHECKPOINT > len(stored.checkpoints):
            checkpoint = self.add_checkpoint(stored, wire.Trigger.TOOL_CALLS)
        if new.source:
            stored.sources[new.source.file] = max(end, new.source.end)
        return 200, wire.Appended(
            position=len(stored.entries),
            appended=len(fresh),
            duplicates=len(new.entries) - len(fresh),
            source_end=stored.sources.get(new.source.file) if new.source else None,
            checkpoint_id=checkpoint.id if checkpoint else None,
        )

    def kept(self, new: wire.NewEntry, position: int) -> wire.Entry:
        body: Any = redact_json(new.body).value
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
        return wire.Entry(position=position, key=new.key, kind=new.kind, at=new.at, hash=digest, body=body)

    def entries(self, request: Request, sid: str) -> tuple[int, Any]:
        after = int(request.query["after"])
        limit = min(int(request.query["limit"]), PAGE)
        log = self.find(sid).entries
        more = str(after + limit) if after + limit < len(log) else None
        return 200, wire.EntryPage(items=log[after : after + limit], next_cursor=more)

    def sources(self, _: Request, sid: str) -> tuple[int, Any]:
        return 200, [wire.SessionSource(file=file, end=end) for file, end in self.find(sid).sources.items()]

    def heartbeat(self, request: Request, sid: str) -> tuple[int, Any]:
        beat = read(wire.Heartbeat, request)
        self.beats.append(beat)
        self.find(sid).change(process=beat.process)
        return 204, None

    def exit(self, request: Request, sid: str) -> tuple[int, Any]:
        stored, gone = self.find(sid), read(wire.ProcessExit, request)
        self.exits.append(gone)
        if stored.session.process == gone.process:
            stored.change(state=wire.SessionState.INTERRUPTED, turn_open=True, end_reason="process_exit")
        return 200, stored.session

    def end(self, request: Request, sid: str) -> tuple[int, Any]:
        stored, end = self.find(sid), read(wire.EndSession, request)
        stored.change(state=wire.SessionState.ENDED, turn_open=False, end_reason=end.reason, ended_at=NOW)
        return 200, stored.session

    def signals(self, _: Request, sid: str) -> tuple[int, Any]:
        stored = self.find(sid)
        raised = wire.Signal(name="context_used", at=NOW, value=54, threshold=50, why="54 % is used.")
        risk = wire.RiskReport(
            at=NOW,
            probability=0.25,
            calls_left=12,
            threshold_tokens=167_000,
            context_tokens=120_000,
            alarm=False,
            why="47,000 tokens are left.",
        )
        return 200, wire.SignalReport(session_id=stored.session.id, measures={}, raised=[raised], risk=risk)

    def integrity(self, _: Request, sid: str) -> tuple[int, Any]:
        stored = self.find(sid)
        return 200, wire.Integrity(
            session_id=stored.session.id,
            entries=len(stored.entries),
            head="0" * 64,
            verified=True,
            detail="every hash matches",
        )

    def checkpoints(self, request: Request, sid: str) -> tuple[int, Any]:
        found = self.find(sid).checkpoints[::-1][: int(request.query["limit"])]
        return 200, wire.CheckpointPage(items=found)

    def checkpoint(self, _: Request, checkpoint_id: str) -> tuple[int, Any]:
        for stored in self.sessions.values():
            for checkpoint in stored.checkpoints:
                if checkpoint.id == checkpoint_id:
                    return 200, state_of(checkpoint)
        raise Refused(404, "checkpoint_not_found", f"there is no checkpoint {checkpoint_id!r}")

    def make_checkpoint(self, request: Request, sid: str) -> tuple[int, Any]:
        new = read(wire.NewCheckpoint, request)
        return 201, self.add_checkpoint(self.find(sid), new.trigger, note=new.note)

    def add_checkpoint(self, stored: Stored, trigger: wire.Trigger, **values: Any) -> wire.Checkpoint:
        number = len(stored.checkpoints) + 1
        made = wire.Checkpoint(
            id=f"ckp_{stored.session.id}_{number}",
            session_id=stored.session.id,
            number=number,
            position=len(stored.entries),
            head="0" * 64,
            trigger=trigger,
            at=NOW,
            **values,
        )
        stored.checkpoints.append(made)
        return made

    def list_snapshots(self, _: Request, sid: str) -> tuple[int, Any]:
        session_id = self.find(sid).session.id
        found = [files.snapshot for files in self.snapshots.values() if files.snapshot.session_id == session_id]
        return 200, found[::-1]

    def snapshot(self, _: Request, snapshot_id: str) -> tuple[int, Any]:
        if snapshot_id not in self.snapshots:
            raise Refused(404, "snapshot_not_found", f"there is no snapshot {snapshot_id!r}")
        return 200, self.snapshots[snapshot_id]

    def blob(self, _: Request, sha256: str) -> tuple[int, Any]:
        if sha256 not in self.blobs:
            raise Refused(404, "blob_not_found", f"there is no content {sha256}")
        return 200, self.blobs[sha256]

    def missing_blobs(self, request: Request) -> tuple[int, Any]:
        wanted = read(wire.MissingBlobs, request).hashes
        return 200, wire.BlobsMissing(hashes=[one for one in wanted if one not in self.blobs])

    def put_blob(self, request: Request, sha256: str) -> tuple[int, Any]:
        self.blobs[sha256] = request.body
        return 204, None

    def make_snapshot(self, request: Request, sid: str) -> tuple[int, Any]:
        new = read(wire.NewSnapshot, request)
        return 201, self.add_snapshot(self.find(sid), new.files)

    def add_snapshot(self, stored: Stored, files: list[wire.FileRef]) -> wire.Snapshot:
        made = wire.Snapshot(
            id=f"snp_{len(self.snapshots) + 1}",
            session_id=stored.session.id,
            position=len(stored.entries),
            taken_at=NOW,
            files=len(files),
            bytes=sum(file.size for file in files),
        )
        self.snapshots[made.id] = wire.SnapshotFiles(
            snapshot=made, files=files, active=[], modified=[], staged=[], diff=None, commit=None, skipped={}
        )
        return made

    def recover(self, request: Request) -> tuple[int, Any]:
        if self.recovery is not None:
            return 200, self.recovery
        project, sid = request.query.get("project"), request.query.get("session")
        found = [
            stored.session
            for stored in self.sessions.values()
            if stored.session.state is wire.SessionState.INTERRUPTED
            and (project in (None, stored.session.project))
            and (sid in (None, stored.session.id, stored.session.client_session_id))
        ]
        if not found:
            why = "no session there is interrupted"
            return 200, wire.Recovery(interrupted=False, session=None, confidence=wire.Confidence.NONE, why=why)
        return 200, recovery_of(found[0])

    def hook(self, request: Request, event: str) -> tuple[int, Any]:
        payload = json.loads(request.body)
        self.hooks.append((event, payload, request.headers.get("x-shim-client-pid")))
        if payload.get("source") == "resume":
            stored = self.find(payload["session_id"])
            stored.change(state=wire.SessionState.ACTIVE, process=None)
            return 200, wire.HookAnswer(hookSpecificOutput={"additionalContext": "bundle"})
        return 204, None

    def list_events(self, request: Request) -> tuple[int, Any]:
        after, types, session = (request.query.get(name) for name in ("after", "types", "session"))
        ids = [event.id for event in self.events]
        found = [
            event
            for event in self.events[ids.index(after) + 1 if after in ids else 0 :]
            if (types is None or event.type in types.split(",")) and session in (None, event.session_id)
        ]
        page = found[:PAGE]
        more = page[-1].id if len(found) > PAGE else None
        return 200, {"items": [event.model_dump(mode="json") for event in page], "next_cursor": more}

    def stream(self, request: Request) -> tuple[int, Any]:
        wanted = request.query.get("types", "").split(",")
        lines = [": alive", ""]
        for event in self.events:
            if wanted == [""] or event.type in wanted:
                lines += [f"id: {event.id}", f"data: {event.model_dump_json()}", ""]
        return 200, ("\n".join(lines) + "\n").encode()

    def list_keys(self, _: Request) -> tuple[int, Any]:
        return 200, access.KeyPage(items=self.keys)

    def make_key(self, request: Request) -> tuple[int, Any]:
        new = read(access.NewKey, request)
        made = access.MadeKey(
            id=f"key_{len(self.keys) + 1}",
            prefix="shim_abc",
            created_at=NOW,
            revoked_at=None,
            secret="shim_abcdef",
            **new.model_dump(),
        )
        self.keys.append(access.Key.model_validate(made.model_dump()))
        return 201, made

    def rotate(self, _: Request, key_id: str) -> tuple[int, Any]:
        key = next(key for key in self.keys if key.id == key_id)
        return 200, access.MadeKey(**key.model_dump(), secret="shim_newer")

    def revoke(self, _: Request, key_id: str) -> tuple[int, Any]:
        self.keys = [key.model_copy(update={"revoked_at": NOW}) if key.id == key_id else key for key in self.keys]
        return 204, None

    def version(self, _: Request) -> tuple[int, Any]:
        return 200, access.Version(version="0.1.0", data=1, oldest_client="0.1.0")


Handler = Callable[..., tuple[int, Any]]
SID = r"/v1/sessions/([^/]+)"
ROUTES: list[tuple[str, str, Handler]] = [
    ("POST", "/v1/sessions", FakeShim.open_session),
    ("GET", "/v1/sessions", FakeShim.list_sessions),
    ("GET", SID, FakeShim.session),
    ("DELETE", SID, FakeShim.delete),
    ("POST", f"{SID}/entries", FakeShim.append),
    ("GET", f"{SID}/entries", FakeShim.entries),
    ("GET", f"{SID}/sources", FakeShim.sources),
    ("POST", f"{SID}/heartbeat", FakeShim.heartbeat),
    ("POST", f"{SID}/exit", FakeShim.exit),
    ("POST", f"{SID}/end", FakeShim.end),
    ("GET", f"{SID}/signals", FakeShim.signals),
    ("GET", f"{SID}/integrity", FakeShim.integrity),
    ("GET", f"{SID}/checkpoints", FakeShim.checkpoints),
    ("POST", f"{SID}/checkpoints", FakeShim.make_checkpoint),
    ("GET", f"{SID}/snapshots", FakeShim.list_snapshots),
    ("GET", "/v1/checkpoints/([^/]+)", FakeShim.checkpoint),
    ("GET", "/v1/snapshots/([^/]+)", FakeShim.snapshot),
    ("POST", f"{SID}/snapshots", FakeShim.make_snapshot),
    ("POST", "/v1/blobs/missing", FakeShim.missing_blobs),
    ("GET", "/v1/blobs/([^/]+)", FakeShim.blob),
    ("PUT", "/v1/blobs/([^/]+)", FakeShim.put_blob),
    ("GET", "/v1/recovery", FakeShim.recover),
    ("GET", "/v1/search", FakeShim.search),
    ("POST", "/v1/hooks/claude-code/([^/]+)", FakeShim.hook),
    ("GET", "/v1/events", FakeShim.list_events),
    ("GET", "/v1/events/stream", FakeShim.stream),
    ("GET", "/v1/keys", FakeShim.list_keys),
    ("POST", "/v1/keys", FakeShim.make_key),
    ("POST", "/v1/keys/([^/]+)/rotate", FakeShim.rotate),
    ("POST", "/v1/keys/([^/]+)/revoke", FakeShim.revoke),
    ("GET", "/v1/version", FakeShim.version),
]


def read(model: type[Any], request: Request) -> Any:
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        errors = [FieldError(pointer="/" + "/".join(map(str, one["loc"])), detail=one["msg"]) for one in error.errors()]
        raise Refused(422, "unprocessable", "the request is not valid", errors) from None


def encode(body: Any) -> bytes:
    return body.model_dump_json().encode() if isinstance(body, BaseModel) else TypeAdapter(Any).dump_json(body)


def state_of(checkpoint: wire.Checkpoint) -> wire.CheckpointState:
    return wire.CheckpointState(
        checkpoint=checkpoint,
        verified=True,
        summary="The cart is being tested.",
        decisions=["Prices are whole cents."],
        constraints=[],
        task=wire.TaskState(operation="test the cart"),
        files_edited=["cart.py"],
        pending=[],
        messages=3,
        tool_calls=1,
    )


def recovery_of(session: wire.Session) -> wire.Recovery:
    pending = wire.PendingCall(
        tool_use_id="toolu_1",
        name="Bash",
        summary="pytest -q",
        started_at=NOW,
        outcome="finished",
        output="3 passed",
    )
    return wire.Recovery(
        interrupted=True,
        session=session,
        confidence=wire.Confidence.CERTAIN,
        why="its process ended while a turn was open",
        bundle="Open task: test the cart.\n" + "x" * 3000,
        pending=[pending],
        resume=["claude", "--resume", session.client_session_id],
    )


@contextmanager
def serving(shim: FakeShim) -> Iterator[FakeShim]:
    """Serve the fake on a free port of loopback."""

    class Server(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def handle_any(self) -> None:
            parts = urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = Request(self.command, parts.path, dict(parse_qsl(parts.query)), headers, self.rfile.read(length))
            kind = "application/json"
            try:
                status, body = shim.answer(request)
            except Refused as refused:
                status, body, kind = refused.problem.status, encode(refused.problem), "application/problem+json"
            self.send_response(status)
            self.send_header("Content-Type", kind)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    shim.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield shim
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
