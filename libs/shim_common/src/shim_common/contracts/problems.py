"""Errors on the wire: RFC 9457 problem details."""

from pydantic import Field

from shim_common.contracts.base import Wire


class FieldError(Wire):
    """One thing wrong with the request."""

    pointer: str = Field(examples=["/entries/0/at"], description="JSON pointer into the body, or the parameter.")
    detail: str


class Problem(Wire):
    """`application/problem+json`."""

    type: str = Field("about:blank", examples=["https://shim.invalid/problems/not_found"])
    title: str
    status: int
    detail: str = Field(description="What is wrong and what to do about it.")
    code: str = Field(examples=["not_found"], description="Stable; programs match on it.")
    instance: str | None = None
    request_id: str | None = None
    errors: list[FieldError] = Field(default_factory=list)
