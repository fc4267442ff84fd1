"""The port to SHIM's REST API: the calls that the MCP server makes, and nothing else.

Whatever goes wrong on the way is one error, `ApiError`, whose text says what to do.
"""

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self, TypeVar
from urllib.parse import quote

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from pydantic import BaseModel, ValidationError

from shim_common.contracts.problems import Problem
from shim_common.contracts.search import SearchPage
from shim_common.contracts.sessions import (
    Appended,
    AppendEntries,
    Checkpoint,
    CheckpointPage,
    CheckpointState,
    EntryPage,
    NewCheckpoint,
    NewSession,
    Recovery,
    Session,
    SessionPage,
    SignalReport,
)

CONNECT_SECONDS = 0.5
"""A listener on the same machine accepts within a millisecond; half a second tells it apart from none."""
ANSWER_SECONDS = 10.0
"""The longest silence of one call; callers set their own, shorter deadline over several calls."""
_MOST_FIELD_ERRORS = 3

Model = TypeVar("Model", bound=BaseModel)
Query = dict[str, str | int]


class ApiError(Exception):
    """A call to SHIM failed.

    `detail` is a sentence that says what to do; `code` is for programs: the code of the problem that SHIM
    answered, or `down`, `no_answer`, `broken_off`, `unreadable`. `status` is absent where SHIM did not answer.
    """

    def __init__(self, detail: str, *, code: str, status: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status


class Api(Protocol):
    """What the MCP server needs of SHIM. `session_id` is SHIM's id or the client's own.

    Every method raises `ApiError`.
    """

    async def sessions(self, *, tool_use_id: str | None = None, limit: int) -> SessionPage:
        """Return the newest sessions, or those in which this tool call was made."""
        ...

    async def session(self, session_id: str) -> Session:
        """Return one session."""
        ...

    async def open_session(self, new: NewSession) -> Session:
        """Open a session, or find the one that is open under the same client id."""
        ...

    async def clear_session(self, session_id: str) -> None:
        """Remove everything that is stored of a session."""
        ...

    async def append(self, session_id: str, entries: AppendEntries) -> Appended:
        """Add entries to a session's log; they are stored when this returns."""
        ...

    async def entries(self, session_id: str, *, after: int, limit: int) -> EntryPage:
        """Return the entries behind a position of the log, oldest first."""
        ...

    async def signals(self, session_id: str) -> SignalReport:
        """Return what is measured of a session now."""
        ...

    async def make_checkpoint(self, session_id: str, new: NewCheckpoint) -> Checkpoint:
        """Make a checkpoint now."""
        ...

    async def checkpoints(self, session_id: str, *, limit: int) -> CheckpointPage:
        """Return a session's newest checkpoints."""
        ...

    async def checkpoint(self, checkpoint_id: str) -> CheckpointState:
        """Return what a checkpoint holds."""
        ...

    async def recovery(self, *, project: str | None = None, session_id: str | None = None) -> Recovery:
        """Return whether work in a project, or one session, was interrupted, and what it takes to go on."""
        ...

    async def search(self, query: str, filters: Mapping[str, str | None], *, limit: int) -> SearchPage:
        """Return what the words find in all sessions, best first; `filters` are those of `GET /v1/search`."""
        ...


class HttpApi:
    """The REST API over HTTP. `key` gives the bearer key of the present caller, anew for each call."""

    def __init__(self, url: str, key: Callable[[], str]) -> None:
        self._key = key
        self._http = httpx.AsyncClient(
            base_url=url,
            # A kept connection would fail the first write after SHIM was restarted.
            transport=AiohttpTransport(limits=httpx.Limits(keepalive_expiry=0)),
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def sessions(self, *, tool_use_id: str | None = None, limit: int) -> SessionPage:
        """Return the newest sessions, or those in which this tool call was made."""
        query: Query = {"limit": limit}
        if tool_use_id is not None:
            query["tool_use_id"] = tool_use_id
        return await self._get(SessionPage, "/v1/sessions", query)

    async def session(self, session_id: str) -> Session:
        """Return one session."""
        return await self._get(Session, _session_path(session_id))

    async def open_session(self, new: NewSession) -> Session:
        """Open a session, or find the one that is open under the same client id."""
        return await self._post(Session, "/v1/sessions", new)

    async def clear_session(self, session_id: str) -> None:
        """Remove everything that is stored of a session."""
        await self._call("DELETE", _session_path(session_id))

    async def append(self, session_id: str, entries: AppendEntries) -> Appended:
        """Add entries to a session's log; they are stored when this returns."""
        return await self._post(Appended, f"{_session_path(session_id)}/entries", entries)

    async def entries(self, session_id: str, *, after: int, limit: int) -> EntryPage:
        """Return the entries behind a position of the log, oldest first."""
        query: Query = {"after": after, "limit": limit}
        return await self._get(EntryPage, f"{_session_path(session_id)}/entries", query)

    async def signals(self, session_id: str) -> SignalReport:
        """Return what is measured of a session now."""
        return await self._get(SignalReport, f"{_session_path(session_id)}/signals")

    async def make_checkpoint(self, session_id: str, new: NewCheckpoint) -> Checkpoint:
        """Make a checkpoint now."""
        return await self._post(Checkpoint, f"{_session_path(session_id)}/checkpoints", new)

    async def checkpoints(self, session_id: str, *, limit: int) -> CheckpointPage:
        """Return a session's newest checkpoints."""
        return await self._get(CheckpointPage, f"{_session_path(session_id)}/checkpoints", {"limit": limit})

    async def checkpoint(self, checkpoint_id: str) -> CheckpointState:
        """Return what a checkpoint holds."""
        return await self._get(CheckpointState, f"/v1/checkpoints/{_segment(checkpoint_id)}")

    async def recovery(self, *, project: str | None = None, session_id: str | None = None) -> Recovery:
        """Return whether work in a project, or one session, was interrupted, and what it takes to go on."""
        asked: Query = {}
        if project is not None:
            asked["project"] = project
        if session_id is not None:
            asked["session"] = session_id
        return await self._get(Recovery, "/v1/recovery", asked)

    async def search(self, query: str, filters: Mapping[str, str | None], *, limit: int) -> SearchPage:
        """Return what the words find in all sessions, best first; `filters` are those of `GET /v1/search`."""
        asked: Query = {name: value for name, value in filters.items() if value is not None}
        return await self._get(SearchPage, "/v1/search", {**asked, "query": query, "limit": limit})

    async def _get(self, model: type[Model], path: str, query: Query | None = None) -> Model:
        return _read(model, await self._call("GET", path, query=query))

    async def _post(self, model: type[Model], path: str, body: BaseModel) -> Model:
        return _read(model, await self._call("POST", path, body=body))

    async def _call(
        self, method: str, path: str, *, query: Query | None = None, body: BaseModel | None = None
    ) -> httpx.Response:
        headers = {"authorization": f"Bearer {self._key()}"}
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = body.model_dump_json()
        try:
            answer = await self._http.request(method, path, params=query, content=content, headers=headers)
        except (httpx.HTTPError, aiohttp.ClientError) as error:
            raise _transport_error(error) from error
        if not answer.is_success:
            raise _refusal(answer)
        return answer


def no_answer(seconds: float) -> ApiError:
    """Return the error for a SHIM that listens and stays silent."""
    return ApiError(
        f"SHIM did not answer within {seconds:g} s, so the outcome is unknown. "
        "Calling again is safe. If it stays silent: `shim status`, then `shim down` and `shim up`.",
        code="no_answer",
    )


def _session_path(session_id: str) -> str:
    return f"/v1/sessions/{_segment(session_id)}"


def _segment(identifier: str) -> str:
    """Return the id as one path segment; a dot segment or a slash would name another resource."""
    if identifier in {"", ".", ".."} or "/" in identifier:
        raise ApiError(f"{identifier!r} is not an id; give one as a SHIM tool answered it.", code="bad_id")
    return quote(identifier, safe="")


def _read(model: type[Model], answer: httpx.Response) -> Model:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise ApiError(
            "SHIM's answer is not understood: SHIM and this MCP server are of different versions. "
            "Restart both (`shim down`, `shim up`, then the client).",
            code="unreadable",
        ) from error


def _transport_error(error: Exception) -> ApiError:
    # The transport names a refused connection and a broken one alike; its cause tells them apart.
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return ApiError("SHIM is not running; start it with `shim up`.", code="down")
    if isinstance(cause, aiohttp.ServerTimeoutError):
        return no_answer(ANSWER_SECONDS)
    return ApiError(
        "The connection to SHIM broke off, so the outcome is unknown. Calling again is safe.",
        code="broken_off",
    )


def _refusal(answer: httpx.Response) -> ApiError:
    status = answer.status_code
    try:
        problem = Problem.model_validate_json(answer.content)
    except ValidationError:
        return ApiError(
            f"SHIM answered HTTP {status} without saying why; see `shim logs`.",
            code="unreadable",
            status=status,
        )
    faults = [f"{fault.pointer}: {fault.detail}" for fault in problem.errors[:_MOST_FIELD_ERRORS]]
    return ApiError("; ".join([problem.detail, *faults]), code=problem.code, status=status)
