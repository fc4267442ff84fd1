"""What can be searched for, and which sessions are not indexed yet.

Words are parted before they come here: Postgres' own parser would keep a path as one word, takes every character
outside ASCII for a letter in a database of locale C, and costs more than the rest of an append.
"""

from shim_common.db.migrations import run_script

revision = "0002"
down_revision = "0001"

_STATEMENTS = """
CREATE TABLE passage (
  session_no bigint NOT NULL, at timestamptz NOT NULL, position integer NOT NULL, kind smallint NOT NULL,
  failed boolean NOT NULL, tools varchar, text bytea NOT NULL, words varchar NOT NULL);
ALTER TABLE passage ALTER text SET STORAGE EXTERNAL;
CREATE INDEX passage_session ON passage (session_no);
CREATE INDEX passage_words ON passage USING gin (array_to_tsvector(string_to_array(words, ' ')));

CREATE TABLE unindexed (session_no bigint PRIMARY KEY, up_to integer NOT NULL);
INSERT INTO unindexed SELECT session_no, position FROM progress WHERE position > 0;
"""


def upgrade() -> None:
    """Make the tables; a job of the service fills the index from the logs."""
    run_script(_STATEMENTS)


def downgrade() -> None:
    """Older versions refuse newer data; a dump taken before the upgrade is the way back."""
    raise RuntimeError("restore the dump that was taken before the upgrade")
