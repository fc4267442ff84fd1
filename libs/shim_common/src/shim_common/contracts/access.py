"""Keys, scopes, audit and versions: what the gateway takes and gives."""

from enum import StrEnum

from pydantic import Field

from shim_common.contracts.base import Command, JsonObject, Moment, Page, Wire


class Scope(StrEnum):
    """What a key may do."""

    READ = "read"
    INGEST = "ingest"
    CONTROL = "control"
    ADMIN = "admin"
    PROXY = "proxy"


class NewKey(Command):
    """Asks for a key."""

    name: str = Field(min_length=1, max_length=100, examples=["laptop"])
    scopes: list[Scope] = Field(min_length=1)
    expires_at: Moment | None = None


class Key(Wire):
    """A key as it may be shown: never its secret."""

    id: str
    name: str
    prefix: str = Field(description="The first characters, to tell keys apart.")
    scopes: list[Scope]
    created_at: Moment
    expires_at: Moment | None
    revoked_at: Moment | None


class MadeKey(Key):
    """A new key with its secret, shown once."""

    secret: str


class KeyPage(Page):
    """A page of keys."""

    items: list[Key]


class AuditRow(Wire):
    """Who changed what. Rows are chained by hash and never changed."""

    position: int
    at: Moment
    actor: str
    action: str
    subject: str
    before: JsonObject | None
    after: JsonObject | None
    hash: str


class AuditPage(Page):
    """A page of the audit log, newest first."""

    items: list[AuditRow]


class Version(Wire):
    """What this stack speaks."""

    version: str
    api: str = "v1"
    data: int = Field(description="Version of the stored data.")
    oldest_client: str = Field(description="The oldest agent and hooks that are understood.")


class Health(Wire):
    """Yes or no; nothing else is told without a key."""

    status: str = Field(examples=["ok"])
