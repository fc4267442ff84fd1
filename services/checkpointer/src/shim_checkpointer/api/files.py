"""File contents and snapshots."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, Response

from shim_checkpointer.api.common import READING, WRITING, Sha, Sid
from shim_checkpointer.usecases.filing import Filing
from shim_common.contracts.access import Scope
from shim_common.contracts.sessions import BlobsMissing, MissingBlobs, NewSnapshot, Snapshot, SnapshotFiles
from shim_common.kernel.idempotency import Once
from shim_common.web import pages
from shim_common.web.app import service_router
from shim_common.web.idempotency import answered, once_of
from shim_common.web.tokens import require

_BINARY = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


def router(filing: Filing) -> APIRouter:
    """Return the routes of files."""
    routes = service_router("files")

    @routes.post("/v1/blobs/missing", responses=WRITING, dependencies=[require(Scope.INGEST)])
    async def find_missing(command: MissingBlobs) -> BlobsMissing:
        """Say which of these contents must still be sent."""
        return BlobsMissing(hashes=await filing.missing(command.hashes))

    @routes.put(
        "/v1/blobs/{sha256}",
        status_code=204,
        responses=WRITING,
        dependencies=[require(Scope.INGEST)],
        openapi_extra={"requestBody": {"required": True, "content": _BINARY}},
    )
    async def put_blob(sha256: Sha, request: Request) -> Response:
        """Store a content; it must have the hash in the path."""
        await filing.put(sha256, await request.body())
        return Response(status_code=204)

    @routes.get(
        "/v1/blobs/{sha256}",
        response_class=Response,
        responses={200: {"content": _BINARY, "description": "The content."}, **READING},
        dependencies=[require(Scope.READ)],
    )
    async def get_blob(sha256: Sha) -> Response:
        """Return a content, byte for byte."""
        return Response(await filing.get(sha256), media_type="application/octet-stream")

    @routes.post(
        "/v1/sessions/{sid}/snapshots",
        status_code=201,
        response_model=Snapshot,
        responses=WRITING,
        dependencies=[require(Scope.INGEST)],
    )
    async def add_snapshot(sid: Sid, command: NewSnapshot, once: Annotated[Once | None, Depends(once_of)]) -> Response:
        """Store a snapshot of the project's files; their contents were sent before."""
        return answered(await filing.add(sid, command, once))

    @routes.get("/v1/sessions/{sid}/snapshots", responses=READING, dependencies=[require(Scope.READ)])
    async def list_snapshots(sid: Sid, limit: pages.Limit = pages.DEFAULT_LIMIT) -> list[Snapshot]:
        """List the snapshots of a session, newest first."""
        return await filing.snapshots(sid, limit)

    @routes.get("/v1/snapshots/{snapshot_id}", responses=READING, dependencies=[require(Scope.READ)])
    async def get_snapshot(
        snapshot_id: Annotated[str, Path(pattern=r"^snp_[0-9a-f]{32}$")],
    ) -> SnapshotFiles:
        """Return the whole manifest of a snapshot."""
        return await filing.files(snapshot_id)

    return routes
