"""The pytest plugin. The root conftest.py names it in `pytest_plugins`."""

from collections.abc import Iterator

import pytest

from shim_common.testing.servers import PostgresServer, ValkeyServer, kept_store


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real Postgres, started once a run."""
    with kept_store("postgres") as store:
        server = PostgresServer(store.url)
        try:
            yield server
        finally:
            server.close()


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[ValkeyServer]:
    """A real Valkey, started once a run."""
    with kept_store("valkey") as store:
        yield ValkeyServer(store.url)


@pytest.fixture(scope="session")
def database_template() -> str:
    """The name of the database that `database_url` copies: an empty one.

    A room overrides it to start from its own tables, with `postgres_server.make_template`.
    """
    return "template1"


@pytest.fixture
def database_url(postgres_server: PostgresServer, database_template: str) -> Iterator[str]:
    """The address of a database of this test's own, a copy of `database_template`."""
    url = postgres_server.create_database(database_template)
    yield url
    postgres_server.drop_database(url)


@pytest.fixture
def redis_url(valkey_server: ValkeyServer) -> str:
    """The address of an empty logical database of this test's own."""
    return valkey_server.fresh_database()
