"""Sessions, their logs, checkpoints, files and signals."""

from shim_common.db import audit, requests
from shim_common.db.migrations import run_script

revision = "0001"
down_revision = None

_STATEMENTS = """
CREATE TABLE session (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id varchar NOT NULL UNIQUE, chain_id varchar NOT NULL,
  client varchar NOT NULL, client_session_id varchar NOT NULL, client_version varchar, model varchar,
  project varchar NOT NULL, state varchar NOT NULL,
  started_at timestamptz NOT NULL, ended_at timestamptz, end_reason varchar);
CREATE UNIQUE INDEX session_client_key ON session (client_session_id, client);
CREATE INDEX session_project ON session USING hash (project);
CREATE INDEX session_state ON session (state) WHERE state <> 'ended';

CREATE TABLE progress (
  session_no bigint PRIMARY KEY, last_seen_at timestamptz NOT NULL, turn_open boolean NOT NULL, prompt_id varchar,
  position integer NOT NULL, sealed integer NOT NULL, tail_bytes integer NOT NULL, head bytea NOT NULL,
  checkpoints integer NOT NULL, checkpointed_calls integer NOT NULL, fresh_bytes bigint NOT NULL,
  transcript_bytes bigint NOT NULL,
  pid integer, pid_created double precision, hooked_at timestamptz,
  digest bytea NOT NULL, risk bytea, processes bytea, bundle bytea, raised varchar[] NOT NULL) WITH (fillfactor = 50);
ALTER TABLE progress ALTER digest SET STORAGE EXTERNAL, ALTER bundle SET STORAGE EXTERNAL;

CREATE TABLE entry (
  session_no bigint, position integer, key uuid NOT NULL, body bytea NOT NULL, PRIMARY KEY (session_no, position));
ALTER TABLE entry ALTER body SET STORAGE EXTERNAL;
CREATE UNIQUE INDEX entry_key ON entry (session_no, key);

CREATE TABLE block (
  session_no bigint, first integer, last integer NOT NULL, body bytea NOT NULL, PRIMARY KEY (session_no, first));
ALTER TABLE block ALTER body SET STORAGE EXTERNAL;

CREATE TABLE source (session_no bigint, file varchar, stored_to bigint NOT NULL, PRIMARY KEY (session_no, file));

CREATE TABLE checkpoint (
  id uuid PRIMARY KEY, session_no bigint NOT NULL, at timestamptz NOT NULL, number integer NOT NULL,
  position integer NOT NULL, trigger smallint NOT NULL, head bytea NOT NULL, note varchar);
CREATE UNIQUE INDEX checkpoint_number ON checkpoint (session_no, number);

CREATE TABLE observation (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session_no bigint NOT NULL, at timestamptz NOT NULL,
  kind varchar NOT NULL, subject varchar, body bytea);
CREATE INDEX observation_session ON observation (session_no, no);
CREATE INDEX observation_subject ON observation (subject) WHERE subject IS NOT NULL;

CREATE TABLE signal (
  no bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, session_no bigint NOT NULL, name varchar NOT NULL,
  raised_at timestamptz NOT NULL, cleared_at timestamptz, value double precision NOT NULL,
  threshold double precision NOT NULL, why varchar NOT NULL);
CREATE INDEX signal_session ON signal (session_no, raised_at);

CREATE TABLE blob (
  sha256 bytea PRIMARY KEY, size bigint NOT NULL, stored_at timestamptz NOT NULL, key_no smallint NOT NULL,
  body bytea NOT NULL);
ALTER TABLE blob ALTER body SET STORAGE EXTERNAL;

CREATE TABLE snapshot (
  id uuid PRIMARY KEY, session_no bigint NOT NULL, base uuid, taken_at timestamptz NOT NULL,
  position integer NOT NULL, files integer NOT NULL, total_bytes bigint NOT NULL, manifest bytea NOT NULL);
ALTER TABLE snapshot ALTER manifest SET STORAGE EXTERNAL;
CREATE INDEX snapshot_session ON snapshot (session_no, taken_at);

CREATE TABLE risk_book (no smallint PRIMARY KEY, body bytea NOT NULL);
"""


def upgrade() -> None:
    """Make the tables."""
    run_script(_STATEMENTS + requests.TABLE + audit.TABLE)


def downgrade() -> None:
    """Older versions refuse newer data; a dump taken before the upgrade is the way back."""
    raise RuntimeError("restore the dump that was taken before the upgrade")
