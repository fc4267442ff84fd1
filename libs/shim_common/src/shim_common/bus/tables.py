"""The outbox, declared once; a test holds the migrations against this page."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, LargeBinary, SmallInteger, text
from sqlalchemy import Sequence as SqlSequence
from sqlmodel import Field, MetaData, SQLModel


class Table(SQLModel):
    """Base of the bus's tables: metadata of its own."""

    metadata = MetaData()


OUTBOX_NUMBERS = SqlSequence("outbox_seq", metadata=Table.metadata)


class OutboxRow(Table, table=True):
    """An event; `seq` is given when it is published."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_fresh", "position", postgresql_where=text("seq IS NULL")),
        Index("outbox_published", "seq", unique=True),
    )

    id: str = Field(primary_key=True)
    position: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    seq: int | None = Field(sa_column=Column(BigInteger, nullable=True))
    type: str
    version: int = Field(sa_column=Column(SmallInteger, nullable=False))
    occurred_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    source: str
    subject: str
    actor: str
    project_id: str | None
    chain_id: str | None
    session_id: str | None
    traceparent: str | None
    causation_id: str | None
    data: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
