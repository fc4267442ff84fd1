"""Keys and the audit log."""

from shim_common.db import audit
from shim_common.db.migrations import run_script

revision = "0001"
down_revision = None

_STATEMENTS = """
CREATE TABLE api_key (
  id varchar PRIMARY KEY, name varchar NOT NULL, prefix varchar NOT NULL, hash bytea NOT NULL UNIQUE,
  scopes varchar NOT NULL, created_at timestamptz NOT NULL, expires_at timestamptz, revoked_at timestamptz);
"""


def upgrade() -> None:
    """Make the tables."""
    run_script(_STATEMENTS + audit.TABLE)


def downgrade() -> None:
    """Older versions refuse newer data; a dump taken before the upgrade is the way back."""
    raise RuntimeError("restore the dump that was taken before the upgrade")
