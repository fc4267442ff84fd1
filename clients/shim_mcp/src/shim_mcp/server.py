"""The MCP server: one definition for every transport and for both protocol revisions."""

import asyncio
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Any, ParamSpec, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError, ToolError
from mcp.server.mcpserver.prompts import Prompt
from mcp.server.mcpserver.tools import Tool
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, Resource, ToolAnnotations

from shim_common.kernel.clock import Clock, SystemClock
from shim_common.kernel.ids import Ids, TimeOrderedIds
from shim_mcp import resources
from shim_mcp.api import Api, ApiError, no_answer
from shim_mcp.prompts import Prompts
from shim_mcp.resources import Resources
from shim_mcp.schemas import compact
from shim_mcp.sessions import Host, Sessions
from shim_mcp.tools import Tools

DEADLINE_SECONDS = 3.0
"""The longest a tool call takes: the model waits for it, and a refusal costs less than a long silence."""
LISTING_SECONDS = 0.4
"""The longest a listing waits for SHIM: clients list resources while they start, and starts stay under 0.5 s."""
ALWAYS_LOADED = {"anthropic/alwaysLoad": True}
"""Claude Code (2.1.329) defers all other MCP tools behind a search."""
NOT_FOUND = 404

INSTRUCTIONS = """\
SHIM keeps this session outside the client, so that work survives a crash, a kill or a compaction.
- shim_check_recovery: what was interrupted, and how to go on. Ask before work in a project and after a compaction.
- shim_auto_checkpoint: keep the task state when it changes.
- session_id: Claude Code may leave it out. Elsewhere the first shim_auto_checkpoint (give project) answers one; \
give it with every further call.
- shim_clear_state deletes a session for good: only when the user asks."""

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


class ShimServer(MCPServer[dict[str, Any]]):
    """An MCP server whose resource listing is what SHIM stores now."""

    def __init__(self, tools: list[Tool], listing: Callable[[], Awaitable[list[Resource]]]) -> None:
        super().__init__(
            "shim",
            title="SHIM",
            instructions=INSTRUCTIONS,
            version=version("shim-mcp"),
            tools=tools,
            log_level="WARNING",
        )
        self._listing = listing

    async def list_resources(self) -> list[Resource]:
        """Return recent transcripts and checkpoints; none while SHIM is away, so that every client starts."""
        try:
            return await self._listing()
        except ApiError as error:
            log.info("resources are not listed: %s", error.code)
            return []


def create_server(
    api: Api,
    host: Host | None = None,
    *,
    clock: Clock | None = None,
    ids: Ids | None = None,
    deadline: float = DEADLINE_SECONDS,
) -> MCPServer[dict[str, Any]]:
    """Return the server over this port to SHIM; `host` is what the transport knows of the client.

    `deadline` bounds every tool call, resource and prompt, in seconds.
    """
    ids = ids or TimeOrderedIds()
    sessions = Sessions(api, host or Host(), ids)
    found = Resources(api)
    tools = Tools(api, sessions, clock or SystemClock(), ids)
    server = ShimServer(_published(tools, deadline), in_time(found.recent, LISTING_SECONDS, _as_is))
    _add_resources(server, found, deadline)
    resume = in_time(Prompts(api, sessions).resume, deadline, _protocol_error)
    server.add_prompt(Prompt.from_function(resume, name="resume", title="Resume"))
    return server


def in_time(
    function: Callable[P, Awaitable[R]], seconds: float, refuse: Callable[[ApiError], Exception]
) -> Callable[P, Awaitable[R]]:
    """Return the function with a deadline; what goes wrong with SHIM is raised as `refuse` words it."""

    @functools.wraps(function)
    async def bounded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            async with asyncio.timeout(seconds):
                return await function(*args, **kwargs)
        except TimeoutError:
            raise refuse(no_answer(seconds)) from None
        except ApiError as error:
            raise refuse(error) from error

    return bounded


def _published(tools: Tools, deadline: float) -> list[Tool]:
    """Return the tools in the order in which they are listed."""

    def tool(
        function: Callable[..., Awaitable[Any]],
        title: str,
        *,
        read_only: bool = False,
        destructive: bool = False,
        daily: bool = False,
    ) -> Tool:
        made = Tool.from_function(
            in_time(function, deadline, _tool_error),
            name=f"shim_{function.__name__}",
            title=title,
            description=inspect.getdoc(function),
            annotations=ToolAnnotations(read_only_hint=read_only, destructive_hint=destructive, open_world_hint=False),
            meta=ALWAYS_LOADED if daily else None,
            structured_output=True,
        )
        return made.model_copy(update={"parameters": compact(made.parameters)})

    return [
        tool(tools.auto_checkpoint, "Keep the task state", daily=True),
        tool(tools.check_recovery, "Check for interrupted work", read_only=True, daily=True),
        tool(tools.monitor_signals, "Show signals and risk", read_only=True),
        tool(tools.session_status, "Show a session", read_only=True),
        tool(tools.search, "Search all sessions", read_only=True),
        tool(tools.force_checkpoint, "Make a checkpoint"),
        tool(tools.clear_state, "Delete a session for good", destructive=True),
    ]


def _add_resources(server: ShimServer, found: Resources, deadline: float) -> None:
    templates: Sequence[tuple[str, str, Callable[..., Awaitable[str]]]] = (
        (resources.TRANSCRIPT, "transcript", found.transcript),
        (resources.CHECKPOINT, "checkpoint", found.checkpoint),
    )
    for uri, name, read in templates:
        register = server.resource(uri, name=name, description=inspect.getdoc(read), mime_type=resources.MEDIA_TYPE)
        register(in_time(read, deadline, _resource_error))


def _as_is(error: ApiError) -> Exception:
    return error


def _tool_error(error: ApiError) -> Exception:
    return ToolError(error.detail)


def _resource_error(error: ApiError) -> Exception:
    return ResourceNotFoundError(error.detail) if error.status == NOT_FOUND else ResourceError(error.detail)


def _protocol_error(error: ApiError) -> Exception:
    return MCPError(INTERNAL_ERROR, error.detail)
