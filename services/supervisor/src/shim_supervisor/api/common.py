"""What the routes share: names of parameters, repeated requests, errors that any of them can end in."""

from typing import Annotated

from fastapi import Path, Query

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

WatchId = Annotated[str, Path(pattern=r"^wch_[0-9a-f]{32}$", examples=["wch_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"])]
IncidentId = Annotated[str, Path(pattern=r"^inc_[0-9a-f]{32}$", examples=["inc_0192f0c1e2d37a1b8c4d5e6f7a8b9c0d"])]
Text = Query(max_length=200, pattern=r"^[^\x00]*$")

READING = documented(BadInput, Unauthorized, Forbidden, NotFound, Conflict, Unprocessable, Unavailable)
WRITING = documented(
    BadInput, Unauthorized, Forbidden, NotFound, Conflict, TooLarge, Unprocessable, Unavailable, StorageFull
)
