"""The REST API as the agent uses it: typed calls, SHIM's own errors, live events."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, TypeAdapter, ValidationError

from shim_agent import sse
from shim_common.contracts.envelope import Event
from shim_common.contracts.problems import Problem
from shim_common.contracts.sessions import (
    Appended,
    AppendEntries,
    BlobsMissing,
    Heartbeat,
    MissingBlobs,
    NewSession,
    NewSnapshot,
    ProcessExit,
    Session,
    SessionSource,
    Snapshot,
    SnapshotFiles,
)
from shim_common.contracts.supervision import (
    AttemptReport,
    EndReport,
    Incident,
    NewWatch,
    PolicyList,
    Watch,
    WatchBeat,
)
from shim_common.kernel import errors
from shim_common.kernel.errors import ShimError, Unauthorized, Unavailable, Unprocessable

MAX_HASHES = 10_000
"""Hashes in one question for missing contents: the contract's limit."""

_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)
_BEAT_TIMEOUT = aiohttp.ClientTimeout(total=4, sock_connect=2)
"""A heartbeat that takes about as long as it is to the next one is worth nothing."""

_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=90)
"""A stream without even a keep-alive for this long is taken for dead; asking anew loses nothing."""

_MAX_EVENT_BYTES = 1024 * 1024
"""A line of the stream may be this long; SHIM's events are a thousandth of it."""

_BY_STATUS: dict[int, type[ShimError]] = {
    error.status: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, ShimError) and error is not ShimError
}

_Session = TypeAdapter(Session)
_Sources = TypeAdapter(list[SessionSource])
_Appended = TypeAdapter(Appended)
_Missing = TypeAdapter(BlobsMissing)
_Snapshot = TypeAdapter(Snapshot)
_SnapshotFiles = TypeAdapter(SnapshotFiles)
_Event = TypeAdapter(Event)
_Watch = TypeAdapter(Watch)
_Incident = TypeAdapter(Incident)
_Policies = TypeAdapter(PolicyList)

_T = TypeVar("_T")


class Gateway:
    """A client of one gateway. The key is read from its file for every call, since it may be rotated.

    Every method raises ShimError: Unavailable where SHIM cannot be reached or is not well, otherwise the class
    that belongs to the answer's status (see `shim_common.kernel.errors`).
    """

    def __init__(self, url: str, key_file: Path) -> None:
        self._url = url.rstrip("/")
        self._key_file = key_file
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=_TIMEOUT, read_bufsize=_MAX_EVENT_BYTES)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._http is not None:
            await self._http.close()

    async def open_session(self, new: NewSession) -> tuple[Session, bool]:
        """Open a session, or find the one that is known under the same client id; tell whether it is new."""
        status, answer = await self._answer("POST", _path("sessions"), new)
        return _understood(_Session, answer), status == HTTPStatus.CREATED

    async def session(self, session: str) -> Session:
        """Return a session by SHIM's or the client's id."""
        return _understood(_Session, await self._call("GET", _path("sessions", session)))

    async def sources(self, session: str) -> dict[str, int]:
        """Return how far each source file of a session is stored, in bytes."""
        answer = await self._call("GET", _path("sessions", session, "sources"))
        return {source.file: source.end for source in _understood(_Sources, answer)}

    async def append(self, session: str, entries: AppendEntries) -> Appended:
        """Add entries to a session's log; they are committed when this returns."""
        answer = await self._call("POST", _path("sessions", session, "entries"), entries)
        return _understood(_Appended, answer)

    async def beat(self, session: str, heartbeat: Heartbeat) -> None:
        """Say that a session's client is alive."""
        await self._call("POST", _path("sessions", session, "heartbeat"), heartbeat, limits=_BEAT_TIMEOUT)

    async def exit(self, session: str, gone: ProcessExit) -> Session:
        """Say that a session's client is gone."""
        return _understood(_Session, await self._call("POST", _path("sessions", session, "exit"), gone))

    async def missing_blobs(self, hashes: Sequence[str]) -> set[str]:
        """Return which of these contents are not stored yet."""
        missing: set[str] = set()
        for start in range(0, len(hashes), MAX_HASHES):
            question = MissingBlobs(hashes=list(hashes[start : start + MAX_HASHES]))
            answer = await self._call("POST", _path("blobs", "missing"), question)
            missing.update(_understood(_Missing, answer).hashes)
        return missing

    async def put_blob(self, sha256: str, content: bytes) -> None:
        """Store a content under its hash."""
        await self._call("PUT", _path("blobs", sha256), content)

    async def blob(self, sha256: str) -> bytes:
        """Return the content with this hash."""
        return await self._call("GET", _path("blobs", sha256))

    async def add_snapshot(self, session: str, snapshot: NewSnapshot) -> Snapshot:
        """Store a snapshot whose contents are stored already."""
        return _understood(_Snapshot, await self._call("POST", _path("sessions", session, "snapshots"), snapshot))

    async def snapshot_files(self, snapshot: str) -> SnapshotFiles:
        """Return the whole manifest of a snapshot."""
        return _understood(_SnapshotFiles, await self._call("GET", _path("snapshots", snapshot)))

    async def put_watch(self, new: NewWatch) -> Watch:
        """Have a process watched; the same one for the same session is the same watch."""
        return _understood(_Watch, await self._call("PUT", _path("watches"), new))

    async def beat_watch(self, watch: str, beat: WatchBeat) -> None:
        """Say that a watched process is alive."""
        await self._call("POST", _path("watches", watch, "beat"), beat, limits=_BEAT_TIMEOUT)

    async def end_watch(self, watch: str, end: EndReport) -> Incident | None:
        """Say how a watched process ended and what was decided; None where nothing is to be done about it."""
        status, answer = await self._answer("POST", _path("watches", watch, "end"), end)
        return None if status == HTTPStatus.NO_CONTENT else _understood(_Incident, answer)

    async def add_attempt(self, incident: str, attempt: AttemptReport) -> None:
        """Say what came of a try to go on with a session."""
        await self._call("POST", _path("incidents", incident, "attempts"), attempt)

    async def dismiss(self, incident: str) -> None:
        """Say that nobody wants anything done about an incident."""
        await self._call("POST", _path("incidents", incident, "dismiss"))

    async def incident(self, incident: str) -> Incident:
        """Return an incident."""
        return _understood(_Incident, await self._call("GET", _path("incidents", incident)))

    async def policies(self) -> PolicyList:
        """Return all restart policies."""
        return _understood(_Policies, await self._call("GET", _path("policies")))

    async def events(
        self, types: Sequence[str], after: str | None, opened: Callable[[], None]
    ) -> AsyncGenerator[Event, None]:
        """Yield live events of these types, those since the event `after` first, until the stream ends.

        `opened` is called once the server has accepted the request.
        """
        headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        path = f"{_path('events', 'stream')}?types={quote(','.join(types), safe=',')}"
        async with self._request("GET", path, headers, limits=_STREAM_TIMEOUT) as response:
            opened()
            async for data in sse.messages(response.content):
                yield _understood(_Event, data)

    async def _call(
        self,
        method: str,
        path: str,
        body: BaseModel | bytes | None = None,
        *,
        limits: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> bytes:
        _, answer = await self._answer(method, path, body, limits=limits)
        return answer

    async def _answer(
        self,
        method: str,
        path: str,
        body: BaseModel | bytes | None = None,
        *,
        limits: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> tuple[int, bytes]:
        headers: dict[str, str] = {}
        if isinstance(body, BaseModel):
            body, headers = body.model_dump_json().encode(), {"Content-Type": "application/json"}
        async with self._request(method, path, headers, body, limits=limits) as response:
            return response.status, await response.read()

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
        *,
        limits: aiohttp.ClientTimeout,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if self._http is None:
            raise RuntimeError("use the gateway inside `async with`")
        data = BytesIO(body) if body is not None else None  # aiohttp sends raw bytes in one go, blocking the loop
        sent = {"Authorization": f"Bearer {self._key()}", **headers}
        try:
            async with self._http.request(
                method, self._url + path, headers=sent, data=data, timeout=limits
            ) as response:
                if not response.ok:
                    raise _refusal(response, await response.read())
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"SHIM does not answer at {self._url}: {type(error).__name__}") from error

    def _key(self) -> str:
        try:
            return self._key_file.read_text(encoding="ascii").strip()
        except FileNotFoundError as error:
            raise Unavailable(f"there is no key at {self._key_file} yet; SHIM makes it when it starts") from error
        except (OSError, UnicodeDecodeError) as error:
            raise Unauthorized(f"the key at {self._key_file} cannot be read: {type(error).__name__}") from error


def _path(*parts: str) -> str:
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def _understood(model: TypeAdapter[_T], answer: bytes | str) -> _T:
    try:
        return model.validate_json(answer)
    except ValidationError as error:
        raise Unavailable("SHIM's answer cannot be understood; is it of another version than the agent?") from error


def _refusal(response: aiohttp.ClientResponse, body: bytes) -> ShimError:
    """Make the error that belongs to an answer's status; servers in between may send other bodies than ours."""
    status = response.status
    by_default = Unavailable if status >= 500 or status == 408 else Unprocessable
    kind = _BY_STATUS.get(status, by_default)
    wait = response.headers.get("Retry-After", "")
    retry_after = float(wait) if wait.isdecimal() else None
    try:
        problem = Problem.model_validate_json(body)
    except ValidationError:
        return kind(f"SHIM answered {status}", retry_after=retry_after)
    return kind(problem.detail, code=problem.code, retry_after=retry_after)
