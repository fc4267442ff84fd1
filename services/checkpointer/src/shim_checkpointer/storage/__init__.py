"""The store: SQL has its home here, one module per kind of thing; rows never leave it."""

from shim_checkpointer.storage.store import PostgresStore

__all__ = ["PostgresStore"]
