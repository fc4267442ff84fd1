"""The tables of the supervisor, declared once; a test holds the migrations against this page.

An `incident` belongs to the `watch` whose process ended, an `attempt` to its incident. `report` holds the ids of
reports that were taken, and what each was about.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Integer, LargeBinary, SmallInteger, text
from sqlalchemy.dialects.postgresql import DOUBLE_PRECISION
from sqlmodel import Field, MetaData, SQLModel


class Table(SQLModel):
    """Base of this service's tables: metadata of its own."""

    metadata = MetaData()


def _moment(*, optional: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=optional)


def _bytes(*, optional: bool = False) -> Column[bytes]:
    return Column(LargeBinary, nullable=optional)


def _number() -> Column[int]:
    return Column(BigInteger, Identity(always=True), primary_key=True)


class WatchRow(Table, table=True):
    """A watched process."""

    __tablename__ = "watch"
    __table_args__ = (
        Index("watch_session", "session", "client"),
        Index("watch_running", "no", postgresql_where=text("ended_at IS NULL")),
    )

    no: int = Field(sa_column=_number())
    id: str = Field(unique=True)
    client: str
    session: str
    project: str
    pid: int = Field(sa_column=Column(Integer, nullable=False))
    created: float = Field(sa_column=Column(DOUBLE_PRECISION, nullable=False))
    managed_by: str
    policy: str
    group_name: str | None
    started_under_shim: bool
    since: datetime = Field(sa_column=_moment())
    last_seen_at: datetime | None = Field(sa_column=_moment(optional=True))
    ended_at: datetime | None = Field(sa_column=_moment(optional=True))
    rss_bytes: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    transcript_bytes: int | None = Field(sa_column=Column(BigInteger, nullable=True))


class IncidentRow(Table, table=True):
    """An end that was not meant."""

    __tablename__ = "incident"
    __table_args__ = (Index("incident_state", "state", "no"),)

    no: int = Field(sa_column=_number())
    id: str = Field(unique=True)
    watch_no: int = Field(sa_column=Column(BigInteger, nullable=False, unique=True))
    state: str
    opened_at: datetime = Field(sa_column=_moment())
    closed_at: datetime | None = Field(sa_column=_moment(optional=True))
    ending: bytes = Field(sa_column=_bytes())
    decision: bytes = Field(sa_column=_bytes())


class AttemptRow(Table, table=True):
    """A try to start a client again."""

    __tablename__ = "attempt"
    __table_args__ = (Index("attempt_incident", "incident_no", "no"),)

    no: int = Field(sa_column=_number())
    incident_no: int = Field(sa_column=Column(BigInteger, nullable=False))
    at: datetime = Field(sa_column=_moment())
    outcome: str
    pid: int | None = Field(sa_column=Column(Integer, nullable=True))
    launcher: str | None
    why: str


class ReportRow(Table, table=True):
    """A report that was taken."""

    __tablename__ = "report"
    __table_args__ = (Index("report_at", "at"),)

    id: str = Field(primary_key=True)
    subject: str
    at: datetime = Field(sa_column=_moment())


class PolicyRow(Table, table=True):
    """A restart policy that somebody set."""

    __tablename__ = "policy"

    name: str = Field(primary_key=True)
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

    position: int = Field(sa_column=_number())
    at: datetime = Field(sa_column=_moment())
    actor: str
    action: str
    subject: str
    before: bytes | None = Field(sa_column=_bytes(optional=True))
    after: bytes | None = Field(sa_column=_bytes(optional=True))
    hash: bytes = Field(sa_column=_bytes())
