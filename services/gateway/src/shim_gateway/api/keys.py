"""Keys and the audit log."""

from typing import Annotated

from fastapi import APIRouter, Path, Request

from shim_common.contracts.access import AuditPage, Key, KeyPage, MadeKey, NewKey, Scope
from shim_common.kernel.errors import BadInput, Conflict, Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.problems import documented
from shim_common.web.tokens import Caller
from shim_gateway.api.access import caller_of, require
from shim_gateway.usecases.keys import Keys

_ERRORS = documented(BadInput, Unauthorized, Forbidden, NotFound, Conflict, Unprocessable, Unavailable)
KeyId = Annotated[str, Path(max_length=100, pattern=r"^[a-z0-9_]+$")]


def router(keys: Keys) -> APIRouter:
    """Return the routes of keys."""
    routes = service_router("keys")
    admin = [require(Scope.ADMIN)]

    @routes.get("/v1/keys", responses=_ERRORS, dependencies=admin)
    async def list_keys(limit: pages.Limit = pages.DEFAULT_LIMIT, cursor: pages.Cursor = None) -> KeyPage:
        """List keys, newest first; secrets are never shown again."""
        items = await keys.page(pages.decode(cursor, str), limit)
        return KeyPage(items=items, next_cursor=pages.encode(items[-1].id) if len(items) == limit else None)

    @routes.post("/v1/keys", status_code=201, responses=_ERRORS, dependencies=admin)
    async def make_key(command: NewKey, request: Request) -> MadeKey:
        """Make a key. Its secret is in this answer and nowhere else."""
        return await keys.make(command, _actor(request))

    @routes.post("/v1/keys/{key_id}/rotate", responses=_ERRORS, dependencies=admin)
    async def rotate_key(key_id: KeyId, request: Request) -> MadeKey:
        """Give a key another secret, in its file too where it has one; the old one opens nothing any more."""
        return await keys.rotate(key_id, _actor(request))

    @routes.post("/v1/keys/{key_id}/revoke", responses=_ERRORS, dependencies=admin)
    async def revoke_key(key_id: KeyId, request: Request) -> Key:
        """Let a key open nothing any more."""
        return await keys.revoke(key_id, _actor(request))

    @routes.get("/v1/audit", responses=_ERRORS, dependencies=admin)
    async def list_audit(limit: pages.Limit = pages.DEFAULT_LIMIT, cursor: pages.Cursor = None) -> AuditPage:
        """List who changed what about keys, newest first."""
        items = list(await keys.audit_page(pages.decode(cursor, int), limit))
        return AuditPage(items=items, next_cursor=pages.encode(items[-1].position) if len(items) == limit else None)

    return routes


def _actor(request: Request) -> str:
    caller: Caller = caller_of(request)
    return caller.key_id
