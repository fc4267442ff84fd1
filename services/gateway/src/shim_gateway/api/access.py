"""What a caller may do at the gateway's own routes."""

from fastapi import Request, params

from shim_common.contracts.access import Scope
from shim_common.kernel.errors import Unauthorized
from shim_common.web.tokens import Caller, check_scope
from shim_gateway.api.door import CALLER


def caller_of(request: Request) -> Caller:
    """Return who is asking, as the door found out.

    Raises:
        Unauthorized: the door let the request in without a key.
    """
    caller = request.scope.get(CALLER)
    if not isinstance(caller, Caller):
        raise Unauthorized("send a key as `Authorization: Bearer ...`")
    return caller


def require(scope: Scope) -> params.Depends:
    """Return a dependency that lets callers with this scope through."""

    def check(request: Request) -> None:
        check_scope(caller_of(request), scope)

    return params.Depends(check)
