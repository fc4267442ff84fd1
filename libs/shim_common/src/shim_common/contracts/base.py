"""What every wire model shares."""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("in UTC this lies outside the years 1 to 9999") from error


def _no_number(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("give an instant as text, such as 2026-11-20T12:00:00Z")
    return value


def _no_flag(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("give a number, not true or false")
    return value


Moment = Annotated[AwareDatetime, BeforeValidator(_no_number), AfterValidator(_in_utc)]
"""An instant, in UTC whatever zone it came in; naive times are refused."""

Flag = StrictBool
"""True or false, and nothing that could stand for them."""

Bytes = Annotated[int, BeforeValidator(_no_flag), Field(ge=0, le=2**40)]
"""A size or a place in a file: at most a tebibyte, so that sums fit the columns they are kept in."""

Pid = Annotated[int, BeforeValidator(_no_flag), Field(gt=0, lt=2**31)]
"""The number of a process."""

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
