"""Postgres. Rows never leave this package."""

from shim_supervisor.storage.store import PostgresStore

__all__ = ["PostgresStore"]
