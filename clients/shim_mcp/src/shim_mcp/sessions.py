"""Which session a call is about."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote

from mcp.server.mcpserver import Context
from mcp_types import Implementation

from shim_common.contracts.sessions import NewSession
from shim_common.kernel.ids import Ids
from shim_mcp.api import Api, ApiError

CALL_ID = "claudecode/toolUseId"
"""Claude Code names each tool call under this key, on every transport; its PreToolUse hook does too."""
SESSION_HEADER, PROJECT_HEADER = "x-shim-client-session", "x-shim-client-project"
"""What the bridge tells of its client; the project is percent-encoded."""
CLAUDE_CODE = "claude-code"
_OTHER_NAMES = {"claude-ai": "claude-desktop"}
"""Names that clients give in the handshake, where they are not the ones people know."""
_UNNAMED = "mcp-client"
_LONGEST_NAME = 64


@dataclass(frozen=True)
class Host:
    """What is known of the client without being told in a call. Over HTTP that is what the bridge tells in headers.

    `session_id` is the client's own, as it was when it started this process (Claude Code keeps the old one
    after /clear); `project` the folder it was started in; `connection` names this process's connection, and
    with it the sessions of a client that has no session ids.
    """

    session_id: str | None = None
    project: str | None = None
    connection: str | None = None


class Sessions:
    """Finds the session of a call: the one named in it, else the one it was made in, else the host's."""

    def __init__(self, api: Api, host: Host, ids: Ids) -> None:
        self._api = api
        self._host = host
        self._ids = ids

    async def known(self, context: Context, given: str | None) -> str:
        """Return the id of the call's session.

        Raises:
            ApiError: none is known, or SHIM cannot be asked.
        """
        found = given or await self._joined(context) or self._host_of(context).session_id
        if found is None:
            raise ApiError(
                "No session is known for this call. Give session_id; if there is none yet, "
                "call shim_auto_checkpoint with the task state: it opens one and answers its id.",
                code="session_not_named",
            )
        return found

    async def known_or_opened(self, context: Context, given: str | None, project: str | None) -> tuple[str, bool]:
        """Return the id of the call's session, and whether it was opened under a name of our own.

        Raises:
            ApiError: a session has to be opened and no project is known, or SHIM cannot be asked.
        """
        if found := given or await self._joined(context):
            return found, False
        host = self._host_of(context)
        folder = project or host.project
        if folder is None:
            raise _project_not_named()
        session = await self._api.open_session(self._new(context, host, folder))
        return session.id, host.session_id is None

    async def project(self, context: Context, given: str | None) -> str:
        """Return the folder the call is about: the one named in it, else the host's, else its session's.

        Raises:
            ApiError: none is known, or SHIM cannot be asked.
        """
        if folder := given or self._host_of(context).project:
            return folder
        if session_id := await self._joined(context):
            return (await self._api.session(session_id)).project
        raise _project_not_named()

    async def _joined(self, context: Context) -> str | None:
        """Return the session in which the client made this very tool call, if SHIM saw it begin."""
        call = call_id(context)
        if call is None:
            return None
        made_in = (await self._api.sessions(tool_use_id=call, limit=2)).items
        return made_in[0].id if len(made_in) == 1 else None

    def _host_of(self, context: Context) -> Host:
        headers = context.headers or {}
        folder = headers.get(PROJECT_HEADER)
        return replace(
            self._host,
            session_id=self._host.session_id or headers.get(SESSION_HEADER),
            project=self._host.project or (unquote(folder) if folder else None),
        )

    def _new(self, context: Context, host: Host, project: str) -> NewSession:
        if host.session_id is not None:
            return NewSession(client=CLAUDE_CODE, client_session_id=host.session_id, project=project)
        client = _client(context)
        version = client.version[:_LONGEST_NAME] if client else None
        return NewSession(
            client=_name(client),
            client_version=version or None,
            client_session_id=self._own_id(project),
            project=project,
        )

    def _own_id(self, project: str) -> str:
        """Name the session of a client without ids: one a connection and project, or a new one each time."""
        if self._host.connection is None:
            return self._ids.new("mcp")
        tag = hashlib.sha256(project.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        return f"{self._host.connection}-{tag}"


def call_id(context: Context) -> str | None:
    """Return the client's name for this tool call, where it gives one."""
    metadata: Mapping[str, Any] = context.request_context.meta or {}
    found = metadata.get(CALL_ID)
    return found if isinstance(found, str) else None


def _project_not_named() -> ApiError:
    return ApiError("Give project: the absolute path of the folder the work is in.", code="project_not_named")


def _client(context: Context) -> Implementation | None:
    handshake = context.session.client_params
    return handshake.client_info if handshake else None


def _name(client: Implementation | None) -> str:
    told = client.name.strip()[:_LONGEST_NAME] if client else ""
    return _OTHER_NAMES.get(told, told or _UNNAMED)
