"""The prompt with which a person goes on where a session was interrupted."""

from typing import Annotated

from mcp.server.mcpserver import Context
from pydantic import Field

from shim_mcp.api import Api
from shim_mcp.sessions import Sessions


class Prompts:
    """Writes prompts over one port to SHIM. Every method raises `ApiError`."""

    def __init__(self, api: Api, sessions: Sessions) -> None:
        self._api = api
        self._sessions = sessions

    async def resume(
        self,
        context: Context,
        session_id: Annotated[str | None, Field(description="A session; else the project's.")] = None,
        project: Annotated[str | None, Field(description="Absolute path of the folder.")] = None,
    ) -> str:
        """Go on where a session was interrupted: what it was doing, what was decided, what was in flight."""
        if session_id:
            found = await self._api.recovery(session_id=session_id)
        else:
            found = await self._api.recovery(project=await self._sessions.project(context, project))
        return found.bundle or f"There is nothing to resume: {found.why}"
