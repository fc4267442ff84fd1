"""What supervision keeps on disk: `SHIM_HOME/supervision/state.db`, shared by the agent and every `shim run`.

A commit survives the death of its process at once and a power failure once the system has written it (SQLite with a
write-ahead log and `synchronous=NORMAL`); nothing here is worth a flush of the disk before a client is started again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from shim_agent.supervision.tended import Report, Tended
from shim_common.kernel.errors import Unavailable

BUSY_SECONDS = 2.0
"""How long to wait for another process that writes; a write takes a millisecond."""

MAX_REPORTS = 10_000
"""Reports that wait while the service is away; the oldest go first, as they say the least."""

_TABLES = """
CREATE TABLE IF NOT EXISTS tended (session TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS report (number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS asked (session TEXT PRIMARY KEY);
"""

_Model = TypeVar("_Model", bound=BaseModel)


def supervision_folder(home: Path) -> Path:
    """Return where supervision keeps its files in this data folder."""
    return home / "supervision"


class Store:
    """The file. Every method raises Unavailable where the disk does not allow it; a damaged file is put aside."""

    def __init__(self, home: Path) -> None:
        self._path = supervision_folder(home) / "state.db"
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def tend(self, tended: Tended) -> None:
        """Keep what is known of a session now, in the place of what was."""
        self._write("INSERT OR REPLACE INTO tended VALUES (?, ?)", tended.session, tended.model_dump_json())

    def tended(self) -> list[Tended]:
        """Return all sessions."""
        bodies = self._read("SELECT body FROM tended ORDER BY session")
        return [one for (body,) in bodies if (one := _understood(Tended, body))]

    def tended_session(self, session: str) -> Tended | None:
        """Return what is known of a session."""
        for (body,) in self._read("SELECT body FROM tended WHERE session = ?", session):
            return _understood(Tended, body)
        return None

    def let_go(self, session: str) -> None:
        """Forget a session."""
        self._write("DELETE FROM tended WHERE session = ?", session)
        self._write("DELETE FROM kept WHERE name = ?", f"history:{session}")
        self._write("DELETE FROM asked WHERE session = ?", session)

    def ask_for(self, session: str) -> None:
        """Note that a person wants the session back now; its owner will look."""
        self._write("INSERT OR REPLACE INTO asked VALUES (?)", session)

    def take_asked(self, session: str) -> bool:
        """Tell whether a person asked for the session, once."""
        with self._transaction() as db:
            return db.execute("DELETE FROM asked WHERE session = ?", (session,)).rowcount > 0

    def spool(self, report: Report) -> None:
        """Add a report behind all others."""
        with self._transaction() as db:
            db.execute("INSERT INTO report (body) VALUES (?)", (report.model_dump_json(),))
            db.execute("DELETE FROM report WHERE number <= (SELECT max(number) FROM report) - ?", (MAX_REPORTS,))

    def next_report(self) -> tuple[int, Report | None] | None:
        """Return the oldest report with its number; without the report where it cannot be understood."""
        for number, body in self._read("SELECT number, body FROM report ORDER BY number LIMIT 1"):
            return int(number), _understood(Report, body)
        return None

    def drop_report(self, number: int) -> None:
        """Remove a report that was taken."""
        self._write("DELETE FROM report WHERE number = ?", number)

    def kept(self, name: str, model: type[_Model]) -> _Model | None:
        """Return a value that is kept under a name."""
        for (body,) in self._read("SELECT body FROM kept WHERE name = ?", name):
            return _understood(model, body)
        return None

    def keep(self, name: str, value: BaseModel) -> None:
        """Keep a value under a name."""
        self._write("INSERT OR REPLACE INTO kept VALUES (?, ?)", name, value.model_dump_json())

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all other writers out for the length of a block, so that reading and writing are one step."""
        with self._transaction():
            yield

    def _read(self, statement: str, *values: object) -> list[tuple[str, ...]]:
        with self._errors():
            return self._open().execute(statement, values).fetchall()

    def _write(self, statement: str, *values: object) -> None:
        with self._errors():
            self._open().execute(statement, values)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._errors():
            db = self._open()
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            self.close()
            if not isinstance(error, sqlite3.OperationalError):
                self._put_aside()
            raise Unavailable(f"{self._path} cannot be used: {error}", code="supervision_state_away") from error
        except OSError as error:
            raise Unavailable(f"{self._path} cannot be used: {error}", code="supervision_state_away") from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            db = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level=None)
            self._connection = db
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.executescript(_TABLES)
        return self._connection

    def _put_aside(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            file = self._path.with_name(self._path.name + suffix)
            with suppress(OSError):
                file.replace(file.with_name(f"{file.name}.damaged"))


def _understood(model: type[_Model], body: str) -> _Model | None:
    """Read what is kept; what an older or newer SHIM wrote otherwise counts for nothing."""
    try:
        return model.model_validate_json(body)
    except ValidationError:
        return None
