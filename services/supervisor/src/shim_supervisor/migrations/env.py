"""Alembic's entry; see shim_common.db.migrations."""

from shim_common.db.migrations import run_env

run_env()
