"""The header `Idempotency-Key`, and answers that were made before."""

from typing import Annotated

from fastapi import Header, Request
from starlette.responses import Response

from shim_common.kernel.idempotency import Once
from shim_common.web.tokens import CurrentCaller


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
