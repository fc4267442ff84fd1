"""What a caller may do at the gateway's own routes."""

from collections.abc import Awaitable, Callable

from fastapi import Request, params

from shim_common.contracts.access import Scope
from shim_common.kernel.errors import Unauthorized
from shim_common.web.tokens import Caller, check_scope
from shim_gateway.api.door import CALLER, STILL_HOLDS

StillHolds = Callable[[], Awaitable[bool]]
"""Whether the key that opened a stream still opens anything."""


def caller_of(request: Request) -> Caller:
    """Return who is asking, as the door found out.

    Raises:
        Unauthorized: the door let the request in without a key.
    """
    caller = request.scope.get(CALLER)
    if not isinstance(caller, Caller):
        raise Unauthorized("send a key as `Authorization: Bearer ...`")
    return caller


def still_holds_of(request: Request) -> StillHolds:
    """Return what tells whether the caller's key still holds, for answers that go on for long."""
    still_holds: StillHolds = request.scope[STILL_HOLDS]
    return still_holds


def require(scope: Scope) -> params.Depends:
    """Return a dependency that lets callers with this scope through."""

    def check(request: Request) -> None:
        check_scope(caller_of(request), scope)

    return params.Depends(check)
