"""The audit log: who changed what, written in the transaction that did it, each row's hash over the row before."""

import hashlib
from datetime import datetime

import orjson

from shim_common.contracts.access import AuditRow
from shim_common.contracts.base import JsonObject
from shim_common.db.database import Connection, Row

TABLE = """
CREATE TABLE audit (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, actor varchar NOT NULL,
  action varchar NOT NULL, subject varchar NOT NULL, before bytea, after bytea, hash bytea NOT NULL);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
  $$ BEGIN RAISE EXCEPTION 'the audit log is never changed'; END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
  FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only();
"""
"""The table with its guard, for migrations."""

_LOCK = 0x53484155


async def append(
    connection: Connection,
    *,
    actor: str,
    action: str,
    subject: str,
    at: datetime,
    before: JsonObject | None,
    after: JsonObject | None,
) -> None:
    """Write a row inside the caller's transaction."""
    await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
    last = await connection.fetchval("SELECT hash FROM audit ORDER BY position DESC LIMIT 1")
    await connection.execute(
        "INSERT INTO audit (at, actor, action, subject, before, after, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        at,
        actor,
        action,
        subject,
        _dumped(before),
        _dumped(after),
        chained(last or b"", at, actor, action, subject, before, after),
    )


def chained(last: bytes, at: datetime, *row: object) -> bytes:
    """Return the hash of a row behind the row with the hash `last`."""
    document = orjson.dumps([at.isoformat(), *row], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(last + document).digest()


async def page(connection: Connection, before: int | None, limit: int) -> list[AuditRow]:
    """Return rows, newest first."""
    rows = await connection.fetch(
        "SELECT * FROM audit WHERE $1::bigint IS NULL OR position < $1 ORDER BY position DESC LIMIT $2", before, limit
    )
    return [_row(row) for row in rows]


def _dumped(document: JsonObject | None) -> bytes | None:
    return None if document is None else orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def _row(row: Row) -> AuditRow:
    return AuditRow(
        position=row["position"],
        at=row["at"],
        actor=row["actor"],
        action=row["action"],
        subject=row["subject"],
        before=orjson.loads(row["before"]) if row["before"] else None,
        after=orjson.loads(row["after"]) if row["after"] else None,
        hash=row["hash"].hex(),
    )
