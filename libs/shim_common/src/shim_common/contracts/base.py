"""What every wire model shares."""

from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

Moment = AwareDatetime
"""An instant with a time zone; naive times are refused."""

JsonObject = dict[str, Any]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", examples=["9f86d081884c7d65" * 4])]
"""A SHA-256 in lower-case hexadecimal."""


class Wire(BaseModel):
    """A frozen model; unknown fields are ignored so that older readers survive newer writers."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Command(BaseModel):
    """What a caller asks for; unknown fields are refused, because a misspelt one would be lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Page(Wire):
    """Where a listing goes on."""

    next_cursor: str | None = Field(None, description="Give it as `cursor` for the next page; absent at the end.")
