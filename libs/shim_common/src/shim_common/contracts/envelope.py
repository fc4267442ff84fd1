"""The envelope of every event on the bus."""

from pydantic import Field

from shim_common.contracts.base import JsonObject, Moment, Page, Wire


class Event(Wire):
    """Something that happened. Delivered at least once: readers are idempotent by `id`."""

    id: str = Field(examples=["evt_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"])
    type: str = Field(examples=["checkpoint.created"], description="Noun and past participle.")
    version: int = 1
    occurred_at: Moment
    source: str = Field(examples=["checkpointer"])
    subject: str = Field(description="The id of what the event is about.")
    actor: str = Field(description="The key id or component that caused it.")
    project_id: str | None = None
    chain_id: str | None = None
    session_id: str | None = None
    traceparent: str | None = None
    causation_id: str | None = None
    data: JsonObject = Field(default_factory=dict)


class EventPage(Page):
    """Events, oldest first. `next_cursor` is the id to give as `after`."""

    items: list[Event]
