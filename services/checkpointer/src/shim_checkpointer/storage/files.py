"""Contents of files, encrypted, and the snapshots that name them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from shim_checkpointer.domain.session import Kept
from shim_checkpointer.ports import Manifest
from shim_checkpointer.storage.packing import pack, unpack
from shim_common.contracts.sessions import Snapshot
from shim_common.db.database import Connection, Row

_MANIFEST_LEVEL = 9
_SELECT = "SELECT n.*, s.id AS session_id FROM snapshot n JOIN session s ON s.no = n.session_no"


class PostgresFiles:
    """Files in Postgres."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def missing(self, hashes: Sequence[bytes]) -> list[bytes]:
        """Return those of the contents that are not stored."""
        rows = await self._connection.fetch(
            """SELECT h FROM unnest($1::bytea[]) AS t(h) WHERE NOT EXISTS (SELECT FROM blob WHERE sha256 = h)""",
            list(hashes),
        )
        return [row["h"] for row in rows]

    async def hold(self) -> None:
        """Let no clean-up begin until the transaction is over, so that contents found now stay."""
        await self._connection.execute("LOCK TABLE snapshot IN ROW EXCLUSIVE MODE")

    async def put(self, sha256: bytes, size: int, at: datetime, key_no: int, body: bytes) -> None:
        """Store a content, or note that it was sent again: the grace before a clean-up counts from then."""
        await self._connection.execute(
            """INSERT INTO blob VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (sha256) DO UPDATE SET stored_at = greatest(blob.stored_at, excluded.stored_at)""",
            sha256,
            size,
            at,
            key_no,
            body,
        )

    async def get(self, sha256: bytes) -> tuple[int, bytes] | None:
        """Return the number of the key and the encrypted content."""
        row = await self._connection.fetchrow("SELECT key_no, body FROM blob WHERE sha256 = $1", sha256)
        return None if row is None else (row["key_no"], row["body"])

    async def add_snapshot(self, session: Kept, manifest: Manifest) -> None:
        """Store a snapshot."""
        snapshot = manifest.snapshot
        await self._connection.execute(
            "INSERT INTO snapshot VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            UUID(snapshot.id.removeprefix("snp_")),
            session.no,
            manifest.base,
            snapshot.taken_at,
            snapshot.position,
            snapshot.files,
            snapshot.bytes,
            pack(manifest.document, _MANIFEST_LEVEL),
        )

    async def snapshot(self, snapshot_id: UUID) -> Manifest | None:
        """Return a snapshot with its own part of the manifest."""
        row = await self._connection.fetchrow(f"{_SELECT} WHERE n.id = $1", snapshot_id)
        if row is None:
            return None
        return Manifest(_snapshot(row), row["base"], unpack(row["manifest"]))

    async def snapshots(self, session: Kept, limit: int) -> list[Snapshot]:
        """Return snapshots, newest first."""
        rows = await self._connection.fetch(
            f"{_SELECT} WHERE n.session_no = $1 ORDER BY n.taken_at DESC LIMIT $2", session.no, limit
        )
        return [_snapshot(row) for row in rows]


def _snapshot(row: Row) -> Snapshot:
    return Snapshot(
        id=f"snp_{row['id'].hex}",
        session_id=row["session_id"],
        position=row["position"],
        taken_at=row["taken_at"],
        files=row["files"],
        bytes=row["total_bytes"],
    )
