"""The outbox that all services share."""

from shim_common.db.migrations import run_script

revision = "0001"
down_revision = None

_STATEMENTS = """
CREATE SEQUENCE outbox_seq;
CREATE TABLE outbox (
  id varchar PRIMARY KEY, position bigint GENERATED ALWAYS AS IDENTITY NOT NULL, seq bigint, type varchar NOT NULL,
  version smallint NOT NULL, occurred_at timestamptz NOT NULL, source varchar NOT NULL, subject varchar NOT NULL,
  actor varchar NOT NULL, project_id varchar, chain_id varchar, session_id varchar, traceparent varchar,
  causation_id varchar, data bytea NOT NULL);
CREATE INDEX outbox_fresh ON outbox (position) WHERE seq IS NULL;
CREATE UNIQUE INDEX outbox_published ON outbox (seq);
"""


def upgrade() -> None:
    """Make the table."""
    run_script(_STATEMENTS)


def downgrade() -> None:
    """Older versions refuse newer data; a dump taken before the upgrade is the way back."""
    raise RuntimeError("restore the dump that was taken before the upgrade")
