"""Handles on the stores of a test run."""

import asyncio
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import redis

from shim_common.embedded.valkey import DATABASES


@dataclass(frozen=True, slots=True)
class KeptStore:
    """A running store: its address and its process."""

    url: str
    pid: int


@contextmanager
def kept_store(store: Literal["postgres", "valkey"]) -> Iterator[KeptStore]:
    """Start `store` under a keeper, which outlives this process just long enough to clean up.

    Raises RuntimeError where it does not start.
    """
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "shim_common.testing.keeper", store],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C ends the tests; the end of the tests ends the keeper
    ) as keeper:
        if keeper.stdin is None or keeper.stdout is None:
            raise RuntimeError("a pipe was asked for")
        with keeper.stdin:
            line = keeper.stdout.readline()
            if not line:
                raise RuntimeError(f"embedded {store} did not start; see the error above")
            yield KeptStore(**json.loads(line))


class PostgresServer:
    """The Postgres of a test run. It forgets everything with the run and does not wait for the disk."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = itertools.count(1)
        self._templates: set[str] = set()
        # A loop of its own that leaves the tests' loops alone, and one connection kept for all of them.
        self._loop = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self._connection = self._loop.run(asyncpg.connect(url))

    def create_database(self, template: str = "template1") -> str:
        """Make a database as a copy of `template` and return its address. About 7 ms."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        """Remove the database at `url`, with whoever is still connected to it."""
        self._execute(f"DROP DATABASE {urlsplit(url).path[1:]} WITH (FORCE)")

    def make_template(self, name: str, fill: Callable[[str], Awaitable[None]]) -> str:
        """Make the database `name` once a run, let `fill` set it up at its address, and return its name."""
        if name not in self._templates:
            self._execute(f"CREATE DATABASE {name} STRATEGY file_copy")
            self._loop.run(_awaited(fill(self.url_of(name))))
            self._templates.add(name)
        return name

    def url_of(self, database: str) -> str:
        """The address of `database` on this server."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    def close(self) -> None:
        """Let go of the server."""
        self._loop.run(self._connection.close())
        self._loop.close()

    def _execute(self, statement: str) -> None:
        self._loop.run(self._connection.execute(statement))


class ValkeyServer:
    """The Valkey of a test run."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._indexes = itertools.cycle(range(DATABASES))

    def fresh_database(self) -> str:
        """The address of a logical database that is empty now; its turn comes again after 15 others."""
        url = f"{self.url}?db={next(self._indexes)}"
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url


async def _awaited(work: Awaitable[None]) -> None:
    await work
