"""Postgres: pool, transactions, migrations, the outbox."""
