"""The tables of the checkpointer, declared once; a test holds the migrations against this page.

`session` says who a session is and changes seldom; `progress` is its moving state, rewritten at every append.
`entry` holds the fresh end of each log and `block` the sealed rest. `observation` is what hooks saw.
`passage` is what of the entries can be searched for.
"""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlmodel import Field, MetaData, SQLModel


class Table(SQLModel):
    """Base of this service's tables: metadata of its own."""

    metadata = MetaData()


def _moment(*, optional: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=optional)


def _bytes(*, optional: bool = False) -> Column[bytes]:
    return Column(LargeBinary, nullable=optional)


def _session_key(*, primary: bool = True) -> Column[int]:
    return Column(BigInteger, primary_key=primary, nullable=False, autoincrement=False)


class SessionRow(Table, table=True):
    """Who a session is."""

    __tablename__ = "session"
    __table_args__ = (
        Index("session_client_key", "client_session_id", "client", unique=True),
        Index("session_project", "project", postgresql_using="hash"),  # paths may be longer than a B-tree takes
        Index("session_state", "state", postgresql_where=text("state <> 'ended'")),
    )

    no: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    id: str = Field(unique=True)
    chain_id: str
    client: str
    client_session_id: str
    client_version: str | None
    model: str | None
    project: str
    state: str
    started_at: datetime = Field(sa_column=_moment())
    ended_at: datetime | None = Field(sa_column=_moment(optional=True))
    end_reason: str | None


class ProgressRow(Table, table=True):
    """Where a session stands."""

    __tablename__ = "progress"

    session_no: int = Field(sa_column=_session_key())
    last_seen_at: datetime = Field(sa_column=_moment())
    turn_open: bool
    prompt_id: str | None
    position: int = Field(sa_column=Column(Integer, nullable=False))
    sealed: int = Field(sa_column=Column(Integer, nullable=False))
    tail_bytes: int = Field(sa_column=Column(Integer, nullable=False))
    head: bytes = Field(sa_column=_bytes())
    checkpoints: int = Field(sa_column=Column(Integer, nullable=False))
    checkpointed_calls: int = Field(sa_column=Column(Integer, nullable=False))
    fresh_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    transcript_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    pid: int | None = Field(sa_column=Column(Integer, nullable=True))
    pid_created: float | None = Field(sa_column=Column(DOUBLE_PRECISION, nullable=True))
    hooked_at: datetime | None = Field(sa_column=_moment(optional=True))
    digest: bytes = Field(sa_column=_bytes())
    risk: bytes | None = Field(sa_column=_bytes(optional=True))
    processes: bytes | None = Field(sa_column=_bytes(optional=True))
    bundle: bytes | None = Field(sa_column=_bytes(optional=True))
    raised: list[str] = Field(sa_column=Column(ARRAY(String), nullable=False))


class EntryRow(Table, table=True):
    """A fresh entry of a log."""

    __tablename__ = "entry"
    __table_args__ = (Index("entry_key", "session_no", "key", unique=True),)

    session_no: int = Field(sa_column=_session_key())
    position: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    key: UUID
    body: bytes = Field(sa_column=_bytes())


class BlockRow(Table, table=True):
    """Old entries of a log, sealed together: positions `first` to `last`."""

    __tablename__ = "block"

    session_no: int = Field(sa_column=_session_key())
    first: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    last: int = Field(sa_column=Column(Integer, nullable=False))
    body: bytes = Field(sa_column=_bytes())


class PassageRow(Table, table=True):
    """What can be searched for of an entry. Rows come with the log, whose keys see to it that none comes twice."""

    __tablename__ = "passage"
    __table_args__ = (
        Index("passage_session", "session_no"),
        Index("passage_words", text("array_to_tsvector(string_to_array(words, ' '))"), postgresql_using="gin"),
    )
    __mapper_args__: ClassVar[dict[str, Any]] = {"primary_key": ["session_no", "position"]}

    session_no: int = Field(sa_column=_session_key(primary=False))
    at: datetime = Field(sa_column=_moment())
    position: int = Field(sa_column=Column(Integer, nullable=False))
    kind: int = Field(sa_column=Column(SmallInteger, nullable=False))
    failed: bool
    tools: str | None
    text: bytes = Field(sa_column=_bytes())
    words: str


class UnindexedRow(Table, table=True):
    """A session of whose entries those up to a position were stored before there was an index."""

    __tablename__ = "unindexed"

    session_no: int = Field(sa_column=_session_key())
    up_to: int = Field(sa_column=Column(Integer, nullable=False))


class SourceRow(Table, table=True):
    """How far a file is stored."""

    __tablename__ = "source"

    session_no: int = Field(sa_column=_session_key())
    file: str = Field(primary_key=True)
    stored_to: int = Field(sa_column=Column(BigInteger, nullable=False))


class CheckpointRow(Table, table=True):
    """A position in a log and the head there."""

    __tablename__ = "checkpoint"
    __table_args__ = (Index("checkpoint_number", "session_no", "number", unique=True),)

    id: UUID = Field(primary_key=True)
    session_no: int = Field(sa_column=_session_key(primary=False))
    at: datetime = Field(sa_column=_moment())
    number: int = Field(sa_column=Column(Integer, nullable=False))
    position: int = Field(sa_column=Column(Integer, nullable=False))
    trigger: int = Field(sa_column=Column(SmallInteger, nullable=False))
    head: bytes = Field(sa_column=_bytes())
    note: str | None


class ObservationRow(Table, table=True):
    """A hook event; its body goes once the log covers it."""

    __tablename__ = "observation"
    __table_args__ = (
        Index("observation_session", "session_no", "no"),
        Index("observation_subject", "subject", postgresql_where=text("subject IS NOT NULL")),
    )

    no: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    session_no: int = Field(sa_column=_session_key(primary=False))
    at: datetime = Field(sa_column=_moment())
    kind: str
    subject: str | None
    body: bytes | None = Field(sa_column=_bytes(optional=True))


class SignalRow(Table, table=True):
    """A threshold that was crossed."""

    __tablename__ = "signal"
    __table_args__ = (Index("signal_session", "session_no", "raised_at"),)

    no: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    session_no: int = Field(sa_column=_session_key(primary=False))
    name: str
    raised_at: datetime = Field(sa_column=_moment())
    cleared_at: datetime | None = Field(sa_column=_moment(optional=True))
    value: float = Field(sa_column=Column(DOUBLE_PRECISION, nullable=False))
    threshold: float = Field(sa_column=Column(DOUBLE_PRECISION, nullable=False))
    why: str


class BlobRow(Table, table=True):
    """A file's content, encrypted."""

    __tablename__ = "blob"

    sha256: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    size: int = Field(sa_column=Column(BigInteger, nullable=False))
    stored_at: datetime = Field(sa_column=_moment())
    key_no: int = Field(sa_column=Column(SmallInteger, nullable=False))
    body: bytes = Field(sa_column=_bytes())


class SnapshotRow(Table, table=True):
    """A project's files at a moment: a whole manifest, or a change to the one in `base`."""

    __tablename__ = "snapshot"
    __table_args__ = (Index("snapshot_session", "session_no", "taken_at"),)

    id: UUID = Field(primary_key=True)
    session_no: int = Field(sa_column=_session_key(primary=False))
    base: UUID | None
    taken_at: datetime = Field(sa_column=_moment())
    position: int = Field(sa_column=Column(Integer, nullable=False))
    files: int = Field(sa_column=Column(Integer, nullable=False))
    total_bytes: int = Field(sa_column=Column(BigInteger, nullable=False))
    manifest: bytes = Field(sa_column=_bytes())


class RiskBookRow(Table, table=True):
    """What was learnt of compaction thresholds; one row."""

    __tablename__ = "risk_book"

    no: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    body: bytes = Field(sa_column=_bytes())


class IdempotencyRow(Table, table=True):
    """The answer to a request that may be sent again."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("idempotency_at", "at"),)

    caller: str = Field(primary_key=True)
    route: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request: bytes = Field(sa_column=_bytes())
    status: int = Field(sa_column=Column(SmallInteger, nullable=False))
    answer: bytes = Field(sa_column=_bytes())
    at: datetime = Field(sa_column=_moment())


class AuditRow(Table, table=True):
    """Who changed what; each row's hash covers the row before."""

    __tablename__ = "audit"

    position: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    at: datetime = Field(sa_column=_moment())
    actor: str
    action: str
    subject: str
    before: bytes | None = Field(sa_column=_bytes(optional=True))
    after: bytes | None = Field(sa_column=_bytes(optional=True))
    hash: bytes = Field(sa_column=_bytes())
