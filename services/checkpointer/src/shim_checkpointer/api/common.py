"""What the routes share: names of parameters, repeated requests, errors that any of them can end in."""

from typing import Annotated

from fastapi import Path

from shim_common.kernel.errors import (
    BadInput,
    Conflict,
    Forbidden,
    NotFound,
    StorageFull,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unprocessable,
)
from shim_common.web.problems import documented

Sid = Annotated[
    str,
    Path(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00]+$",
        description="SHIM's id of the session, or the client's own.",
        examples=["ses_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"],
    ),
]
Sha = Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="SHA-256 of the content.")]

READING = documented(BadInput, Unauthorized, Forbidden, NotFound, Conflict, Unprocessable, Unavailable)
WRITING = documented(
    BadInput, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, Unprocessable, Unavailable, StorageFull
)
