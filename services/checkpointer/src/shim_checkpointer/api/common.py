"""What the routes share: names of parameters, repeated requests, errors that any of them can end in."""

from typing import Annotated

from fastapi import Header, Path, Request
from starlette.responses import Response

from shim_checkpointer.usecases.context import Once
from shim_common.kernel.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    StorageFull,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from shim_common.web.problems import documented
from shim_common.web.tokens import CurrentCaller

Sid = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00]+$",
        description="SHIM's id of the session, or the client's own.",
        examples=["ses_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"],
    ),
]
Sha = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the content.")]

READING = documented(BadInput, Unauthorized, Forbidden, NotFound, Conflict, Unprocessable, Unavailable)
WRITING = documented(
    BadInput, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, Unprocessable, Unavailable, StorageFull
)


async def once_of(
    request: Request,
    caller: CurrentCaller,
    idempotency_key: Annotated[str | None, Header(max_length=200, pattern=r"^[\x21-\x7e]+$")] = None,
) -> Once | None:
    """Return what makes this request one that may be sent again, where it carries a key."""
    if idempotency_key is None:
        return None
    route = f"{request.method} {request.url.path}"
    return Once(caller.key_id, route, idempotency_key, await request.body())


def answered(answer: tuple[int, bytes]) -> Response:
    """Return an answer that was made, now or before."""
    status, body = answer
    return Response(body, status_code=status, media_type="application/json")
