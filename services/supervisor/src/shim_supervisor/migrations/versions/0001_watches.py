"""Watches, incidents, reports and policies."""

from shim_common.db import audit, requests
from shim_common.db.migrations import run_script

revision = "0001"
down_revision = None

_STATEMENTS = """
CREATE TABLE watch (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id varchar NOT NULL UNIQUE, client varchar NOT NULL, session varchar NOT NULL, project varchar NOT NULL,
  pid integer NOT NULL, created double precision NOT NULL,
  managed_by varchar NOT NULL, policy varchar NOT NULL, group_name varchar, started_under_shim boolean NOT NULL,
  since timestamptz NOT NULL, last_seen_at timestamptz, ended_at timestamptz,
  rss_bytes bigint, transcript_bytes bigint) WITH (fillfactor = 70);
CREATE INDEX watch_session ON watch (session, client);
CREATE INDEX watch_running ON watch (no) WHERE ended_at IS NULL;

CREATE TABLE incident (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id varchar NOT NULL UNIQUE, watch_no bigint NOT NULL UNIQUE, state varchar NOT NULL,
  opened_at timestamptz NOT NULL, closed_at timestamptz, ending bytea NOT NULL, decision bytea NOT NULL);
CREATE INDEX incident_state ON incident (state, no);

CREATE TABLE attempt (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, incident_no bigint NOT NULL, at timestamptz NOT NULL,
  outcome varchar NOT NULL, pid integer, launcher varchar, why varchar NOT NULL);
CREATE INDEX attempt_incident ON attempt (incident_no, no);

CREATE TABLE report (id varchar PRIMARY KEY, subject varchar NOT NULL, at timestamptz NOT NULL);
CREATE INDEX report_at ON report (at);

CREATE TABLE policy (name varchar PRIMARY KEY, body bytea NOT NULL);
"""


def upgrade() -> None:
    """Make the tables."""
    run_script(_STATEMENTS + requests.TABLE + audit.TABLE)


def downgrade() -> None:
    """Older versions refuse newer data; a dump taken before the upgrade is the way back."""
    raise RuntimeError("restore the dump that was taken before the upgrade")
