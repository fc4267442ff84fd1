"""SHIM's API as the command uses it: one method an endpoint, contract models in and out, errors as exceptions."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from shim_cli.errors import ApiProblem, NotRunning
from shim_cli.home import Home
from shim_common.contracts import access
from shim_common.contracts import search as searched
from shim_common.contracts import sessions as wire
from shim_common.contracts import supervision as watched
from shim_common.contracts.base import JsonObject
from shim_common.contracts.envelope import Event, EventPage
from shim_common.contracts.problems import Problem

CONNECT_SECONDS = 2.0
"""A loopback connection is made at once or not at all."""

READ_SECONDS = 60.0
"""Verifying a long log is the slowest answer."""

PAGE = 200

Model = TypeVar("Model", bound=BaseModel)
_Page = TypeVar("_Page", watched.WatchPage, watched.IncidentPage)
_SNAPSHOTS = TypeAdapter(list[wire.Snapshot])
_SOURCES = TypeAdapter(list[wire.SessionSource])


class Api:
    """A connection to SHIM. Every method raises `NotRunning` if nothing answers and `ApiProblem` if SHIM refuses."""

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            transport=transport,
            # Loading the certificates takes longer than most commands; plain HTTP needs none.
            verify=url.startswith("https:"),
            # A proxy from the environment must not stand between this machine and itself.
            trust_env=False,
        )

    @classmethod
    def of(cls, home: Home) -> "Api":
        """Return a connection to the SHIM of this data folder.

        Raises:
            NotRunning: there is no key yet.
        """
        return cls(home.url, home.key())

    def __enter__(self) -> "Api":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def version(self) -> access.Version:
        """Return what the stack speaks."""
        return self._get(access.Version, "/v1/version")

    def open_session(self, new: wire.NewSession) -> wire.Session:
        """Open a session, or find the one with the same client and client id."""
        return self._post(wire.Session, "/v1/sessions", new)

    def sessions(self, limit: int, **filters: str | None) -> Iterator[wire.Session]:
        """Yield at most `limit` sessions, newest first."""
        cursor: str | None = None
        while limit > 0:
            query = {**filters, "limit": str(min(limit, PAGE)), "cursor": cursor}
            page = self._get(wire.SessionPage, "/v1/sessions", query)
            yield from page.items[:limit]
            limit -= len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def session(self, sid: str) -> wire.Session:
        """Return a session by SHIM's id or the client's."""
        return self._get(wire.Session, _at(sid))

    def delete_session(self, sid: str) -> None:
        """Remove everything that is stored of a session."""
        self._send("DELETE", _at(sid))

    def append(self, sid: str, entries: wire.AppendEntries) -> wire.Appended:
        """Add entries at the end of a session's log; they are committed when this returns."""
        return self._post(wire.Appended, _at(sid, "entries"), entries)

    def entries(self, sid: str) -> Iterator[wire.Entry]:
        """Yield the whole log, oldest first."""
        after = 0
        while True:
            query = {"after": str(after), "limit": str(PAGE)}
            page = self._get(wire.EntryPage, _at(sid, "entries"), query)
            yield from page.items
            if not page.items or page.next_cursor is None:
                return
            after = page.items[-1].position

    def sources(self, sid: str) -> list[wire.SessionSource]:
        """Return how far each file is stored."""
        return _SOURCES.validate_json(self._send("GET", _at(sid, "sources")).content)

    def heartbeat(self, sid: str, beat: wire.Heartbeat) -> None:
        """Say that the session's client is alive."""
        self._send("POST", _at(sid, "heartbeat"), beat)

    def report_exit(self, sid: str, gone: wire.ProcessExit) -> wire.Session:
        """Say that the session's client is gone."""
        return self._post(wire.Session, _at(sid, "exit"), gone)

    def end_session(self, sid: str, end: wire.EndSession) -> wire.Session:
        """Say that a session is over on purpose."""
        return self._post(wire.Session, _at(sid, "end"), end)

    def signals(self, sid: str) -> wire.SignalReport:
        """Return what is measured of a session now."""
        return self._get(wire.SignalReport, _at(sid, "signals"))

    def integrity(self, sid: str) -> wire.Integrity:
        """Verify a session's whole log."""
        return self._get(wire.Integrity, _at(sid, "integrity"))

    def make_checkpoint(self, sid: str, new: wire.NewCheckpoint) -> wire.Checkpoint:
        """Make a checkpoint now."""
        return self._post(wire.Checkpoint, _at(sid, "checkpoints"), new)

    def checkpoints(self, sid: str, limit: int) -> list[wire.Checkpoint]:
        """Return the newest checkpoints of a session, newest first."""
        return self._get(wire.CheckpointPage, _at(sid, "checkpoints"), {"limit": str(limit)}).items

    def checkpoint(self, checkpoint_id: str) -> wire.CheckpointState:
        """Return what a checkpoint holds."""
        return self._get(wire.CheckpointState, f"/v1/checkpoints/{_part(checkpoint_id)}")

    def snapshots(self, sid: str) -> list[wire.Snapshot]:
        """Return a session's file snapshots, newest first."""
        return _SNAPSHOTS.validate_json(self._send("GET", _at(sid, "snapshots")).content)

    def snapshot(self, snapshot_id: str) -> wire.SnapshotFiles:
        """Return the whole manifest of a snapshot."""
        return self._get(wire.SnapshotFiles, f"/v1/snapshots/{_part(snapshot_id)}")

    def blob(self, sha256: str) -> bytes:
        """Return a stored content."""
        return self._send("GET", f"/v1/blobs/{_part(sha256)}").content

    def recovery(self, *, project: str | None = None, session: str | None = None) -> wire.Recovery:
        """Return whether something was interrupted in a project or a session, and what it takes to go on."""
        return self._get(wire.Recovery, "/v1/recovery", {"project": project, "session": session})

    def search(self, query: str, limit: int, **filters: str | None) -> Iterator[searched.SearchHit]:
        """Yield at most `limit` finds of these words in all sessions, best first."""
        cursor: str | None = None
        while limit > 0:
            asked = {**filters, "query": query, "limit": str(min(limit, searched.MOST_HITS)), "cursor": cursor}
            page = self._get(searched.SearchPage, "/v1/search", asked)
            yield from page.items[:limit]
            limit -= len(page.items)
            cursor = page.next_cursor
            if cursor is None:
                return

    def hook(self, event: str, payload: JsonObject, pid: int | None = None) -> wire.HookAnswer | None:
        """Hand a hook's payload in, as an assistant would; None where SHIM has nothing to say."""
        headers = {"X-Shim-Client-Pid": str(pid)} if pid is not None else {}
        answer = self._send("POST", f"/v1/hooks/claude-code/{_part(event)}", payload, headers=headers)
        return self._read(wire.HookAnswer, answer) if answer.status_code == httpx.codes.OK else None

    def watches(self, limit: int, state: watched.WatchState | None = None) -> Iterator[watched.Watch]:
        """Yield at most `limit` watched processes, newest first."""
        filters = {"state": state.value if state else None}
        return self._pages(watched.WatchPage, "/v1/watches", limit, filters)

    def incidents(
        self, limit: int, state: watched.IncidentState | None = None, session: str | None = None
    ) -> Iterator[watched.Incident]:
        """Yield at most `limit` ends that were not meant, newest first."""
        filters = {"state": state.value if state else None, "session": session}
        return self._pages(watched.IncidentPage, "/v1/incidents", limit, filters)

    def incident(self, incident_id: str) -> watched.Incident:
        """Return an incident."""
        return self._get(watched.Incident, f"/v1/incidents/{_part(incident_id)}")

    def request_restart(self, incident_id: str, request: watched.RestartRequest) -> watched.Incident:
        """Ask the session's owner to start it again."""
        return self._post(watched.Incident, f"/v1/incidents/{_part(incident_id)}/restart", request)

    def dismiss(self, incident_id: str) -> watched.Incident:
        """Say that nobody wants anything done about an incident."""
        return self._post(watched.Incident, f"/v1/incidents/{_part(incident_id)}/dismiss")

    def _pages(self, page: type[_Page], path: str, limit: int, filters: Mapping[str, str | None]) -> Iterator[Any]:
        cursor: str | None = None
        while limit > 0:
            found = self._get(page, path, {**filters, "limit": str(min(limit, PAGE)), "cursor": cursor})
            yield from found.items[:limit]
            limit -= len(found.items)
            cursor = found.next_cursor
            if cursor is None or not found.items:
                return

    def events(self, after: str | None, **filters: str | None) -> Iterator[Event]:
        """Yield the events that are kept, oldest first, those after `after`."""
        while True:
            page = self._get(EventPage, "/v1/events", {**filters, "after": after, "limit": str(PAGE)})
            yield from page.items
            if not page.items or page.next_cursor is None:
                return
            after = page.items[-1].id

    def event_stream(self, after: str | None = None, **filters: str | None) -> Iterator[Event]:
        """Yield events as they happen, those since `after` first, until the connection ends."""
        query = {name: value for name, value in filters.items() if value is not None}
        headers = {"Last-Event-ID": after} if after else {}
        patient = httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS, read=None)
        try:
            with self._http.stream(
                "GET", "/v1/events/stream", params=query, headers=headers, timeout=patient
            ) as answer:
                if answer.is_error:
                    answer.read()
                    raise _problem(answer)
                for data in sse_data(answer.iter_lines()):
                    yield Event.model_validate_json(data)
        except httpx.TransportError as error:
            raise self._not_running(error) from None

    def keys(self) -> list[access.Key]:
        """Return all keys, never their secrets."""
        return self._get(access.KeyPage, "/v1/keys", {"limit": str(PAGE)}).items

    def make_key(self, new: access.NewKey) -> access.MadeKey:
        """Make a key; its secret is in the answer and nowhere else."""
        return self._post(access.MadeKey, "/v1/keys", new)

    def rotate_key(self, key_id: str) -> access.MadeKey:
        """Give a key a new secret."""
        return self._post(access.MadeKey, f"/v1/keys/{_part(key_id)}/rotate")

    def revoke_key(self, key_id: str) -> None:
        """Make a key useless."""
        self._send("POST", f"/v1/keys/{_part(key_id)}/revoke")

    def _get(self, model: type[Model], path: str, query: Mapping[str, str | None] | None = None) -> Model:
        return self._read(model, self._send("GET", path, query=query))

    def _post(self, model: type[Model], path: str, body: BaseModel | None = None) -> Model:
        return self._read(model, self._send("POST", path, body))

    def _send(
        self,
        method: str,
        path: str,
        body: BaseModel | JsonObject | None = None,
        *,
        query: Mapping[str, str | None] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (query or {}).items() if value is not None}
        typed = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._http.request(
                method, path, params=given, content=_encode(body), headers={**typed, **(headers or {})}
            )
        except httpx.TransportError as error:
            raise self._not_running(error) from None
        if answer.is_error:
            raise _problem(answer)
        return answer

    def _read(self, model: type[Model], answer: httpx.Response) -> Model:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError:
            raise NotRunning(f"what answers at {self.url} is not SHIM; see `shim status`") from None

    def _not_running(self, error: httpx.TransportError) -> NotRunning:
        if isinstance(error, httpx.ReadTimeout):
            return NotRunning(f"SHIM at {self.url} does not answer in time; see `shim status` and `shim logs`")
        return NotRunning(f"SHIM is not running at {self.url}; start it with `shim up`")


def sse_data(lines: Iterator[str]) -> Iterator[str]:
    """Yield the data of each server-sent event (HTML Living Standard, section 9.2.6); comments are passed over."""
    data: list[str] = []
    for line in lines:
        if not line and data:
            yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))


def _at(sid: str, *rest: str) -> str:
    return "/".join(("/v1/sessions", _part(sid), *rest))


def _part(name: str) -> str:
    return quote(name, safe="")


def _encode(body: BaseModel | JsonObject | None) -> bytes | None:
    if isinstance(body, BaseModel):
        return body.model_dump_json().encode()
    return None if body is None else json.dumps(body).encode()


def _problem(answer: httpx.Response) -> ApiProblem | NotRunning:
    """Return the error that an answer tells; one that is not a problem document comes from another program."""
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return NotRunning(
            f"what answers at {answer.request.url.host}:{answer.request.url.port} is not SHIM "
            f"(status {answer.status_code}); see `shim status`"
        )
    return ApiProblem(problem, retry_after=_seconds(answer.headers.get("Retry-After")))


def _seconds(header: str | None) -> float | None:
    return float(header) if header and header.isdecimal() else None
