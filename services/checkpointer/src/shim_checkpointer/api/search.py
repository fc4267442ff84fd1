"""Searching all sessions."""

import math
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query

from shim_checkpointer.api.common import READING
from shim_checkpointer.ports import PassageFilter, Place
from shim_checkpointer.usecases.searching import Searching
from shim_checkpointer.usecases.sessions import normal_project
from shim_common.contracts.access import Scope
from shim_common.contracts.base import Moment
from shim_common.contracts.search import LONGEST_QUERY, MOST_HITS, SearchPage
from shim_common.kernel.errors import BadInput
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.tokens import require

_DEFAULT = 20
_Words = Query(
    min_length=1,
    max_length=LONGEST_QUERY,
    pattern=r"^[^\x00]+$",
    description='Words, all of which must be there; they may go on. "Quoted" ones stand side by side, -these do not.',
)
_Text = Query(max_length=4096, pattern=r"^[^\x00]*$")


def router(searching: Searching) -> APIRouter:
    """Return the routes of searching."""
    routes = service_router("search")

    @routes.get("/v1/search", responses=READING, dependencies=[require(Scope.READ)])
    async def search(
        query: Annotated[str, _Words],
        project: Annotated[str | None, _Text] = None,
        client: Annotated[str | None, _Text] = None,
        model: Annotated[str | None, Query(max_length=128, pattern=r"^[^\x00]*$", description="Part of it.")] = None,
        tool: Annotated[str | None, Query(max_length=128, pattern=r"^[^\x00]*$")] = None,
        failed: bool | None = None,
        since: Annotated[Moment | None, Query()] = None,
        until: Annotated[Moment | None, Query(description="Up to, but not including.")] = None,
        limit: Annotated[int, Query(ge=1, le=MOST_HITS, description="At most this many hits.")] = _DEFAULT,
        cursor: pages.Cursor = None,
    ) -> SearchPage:
        """Search prompts, replies, commands, file names and errors of all sessions, best first."""
        wanted = PassageFilter(
            project=normal_project(project) if project else None,
            client=client or None,
            model=model or None,
            tool=tool or None,
            failed=failed,
            since=since,
            until=until,
        )
        found = await searching.search(query, wanted, _decode(cursor), limit)
        following = _encode(found[-1][0]) if len(found) == limit else None
        return SearchPage(items=[hit for _, hit in found], next_cursor=following)

    return routes


def _encode(place: Place) -> str:
    return pages.encode(f"{place.rank!r} {place.at.isoformat()} {place.session_no} {place.position}")


def _decode(cursor: str | None) -> Place | None:
    told = pages.decode(cursor, str)
    if told is None:
        return None
    try:
        rank, at, session_no, position = told.split(" ")
        place = Place(float(rank), datetime.fromisoformat(at), int(session_no), int(position))
    except ValueError as error:
        raise _not_ours() from error
    fits = place.session_no in range(2**63) and place.position in range(2**31)
    if not (math.isfinite(place.rank) and place.at.tzinfo and fits):
        raise _not_ours()
    return place


def _not_ours() -> BadInput:
    return BadInput("the cursor is not one that was given out; start without one", code="bad_cursor")
