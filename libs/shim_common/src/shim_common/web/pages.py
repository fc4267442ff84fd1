"""Paging: opaque cursors that say where a listing goes on."""

import base64
import binascii
from typing import Annotated, TypeVar

import orjson
from fastapi import Query

from shim_common.kernel.errors import BadInput

DEFAULT_LIMIT = 50
MOST = 1000
Place = TypeVar("Place", str, int)
_PLACES = range(2**31)
"""Numbers that a cursor can hold: those of the smallest column that a listing is ordered by."""

Limit = Annotated[int, Query(ge=1, le=MOST, description="At most this many items.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the page before.")]


def encode(place: str | int) -> str:
    """Return the cursor for a place in a listing."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def decode(cursor: str | None, kind: type[Place]) -> Place | None:
    """Return the place a cursor names; None for the start.

    Raises:
        BadInput: the cursor is not one of ours.
    """
    if cursor is None:
        return None
    try:
        place = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError) as error:
        raise BadInput("the cursor is not one that was given out; start without one", code="bad_cursor") from error
    if type(place) is not kind or not _is_place(place):  # a boolean is no number here
        raise BadInput("the cursor belongs to another listing; start without one", code="bad_cursor")
    return place


def _is_place(place: str | int) -> bool:
    return place.isprintable() if isinstance(place, str) else place in _PLACES
