"""The tables of the gateway."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary
from sqlmodel import Field, MetaData, SQLModel


class Table(SQLModel):
    """Base of this service's tables: metadata of its own."""

    metadata = MetaData()


class KeyRow(Table, table=True):
    """A key."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True)
    name: str
    prefix: str
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    scopes: str
    created_at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    expires_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))
    revoked_at: datetime | None = Field(sa_column=Column(DateTime(timezone=True), nullable=True))


class AuditRow(Table, table=True):
    """Who changed what; each row's hash covers the row before."""

    __tablename__ = "audit"

    position: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    at: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))
    actor: str
    action: str
    subject: str
    before: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    after: bytes | None = Field(sa_column=Column(LargeBinary, nullable=True))
    hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
