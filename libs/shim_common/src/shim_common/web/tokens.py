"""Trust between services: a short-lived token that only the gateway makes."""

from dataclasses import dataclass
from typing import Annotated

import jwt
from fastapi import Depends, Request, params

from shim_common.contracts.access import Scope
from shim_common.kernel.clock import Clock
from shim_common.kernel.errors import Forbidden, Unauthorized

HEADER = "x-shim-token"
LIFETIME = 60
"""Seconds a token holds."""
_ALGORITHM = "HS256"
_ISSUER = "shim-gateway"


@dataclass(frozen=True)
class Caller:
    """Who is asking, and what they may do."""

    key_id: str
    scopes: frozenset[Scope]


class TokenMaker:
    """Makes and reads internal tokens with a secret that never leaves the machine."""

    def __init__(self, secret: bytes, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock

    def make(self, caller: Caller) -> str:
        """Return a token for this caller, good for `LIFETIME` seconds."""
        expires = int(self._clock.now().timestamp()) + LIFETIME
        claims = {"iss": _ISSUER, "sub": caller.key_id, "scopes": sorted(caller.scopes), "exp": expires}
        return jwt.encode(claims, self._secret, algorithm=_ALGORITHM)

    def read(self, token: str) -> Caller:
        """Return who the token speaks for.

        Raises:
            Unauthorized: it was not made by the gateway, or is too old.
        """
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[_ALGORITHM],
                issuer=_ISSUER,
                options={"require": ["exp", "sub", "iss"], "verify_exp": False},
            )
        except jwt.InvalidTokenError as error:
            raise Unauthorized("services answer the gateway alone; ask there") from error
        if claims["exp"] < self._clock.now().timestamp():
            raise Unauthorized("the internal token is too old", code="token_expired")
        return Caller(claims["sub"], frozenset(Scope(scope) for scope in claims["scopes"]))


def caller_of(request: Request) -> Caller:
    """Return the caller of a request to a service.

    Raises:
        Unauthorized: the request did not come through the gateway.
    """
    maker: TokenMaker = request.app.state.tokens
    return maker.read(request.headers.get(HEADER, ""))


CurrentCaller = Annotated[Caller, Depends(caller_of)]


def check_scope(caller: Caller, scope: Scope) -> None:
    """Let callers with this scope through.

    Raises:
        Forbidden: the key lacks the scope.
    """
    if scope not in caller.scopes:
        raise Forbidden(
            f"this needs a key with the scope {scope.value!r}; "
            f"make one with: shim keys create NAME --scope {scope.value}",
            code="scope_missing",
        )


def require(scope: Scope) -> params.Depends:
    """Return a dependency of a service's route that lets callers with this scope through."""

    def check(caller: CurrentCaller) -> None:
        check_scope(caller, scope)

    return params.Depends(check)
