"""The root of every error that SHIM raises on purpose.

ShimError
├── BadInput            400  the request cannot be understood
├── Unauthorized        401  no key, or one that is not known
├── Forbidden           403  the key does not allow this
├── NotFound            404
├── Conflict            409  the state does not allow this
├── PreconditionFailed  412  If-Match names an older version
├── TooLarge            413
├── Unprocessable       422  well-formed, but against a rule
├── RateLimited         429
├── Unavailable         503  a store or a service is away; try again
└── StorageFull         507
"""

from collections.abc import Mapping
from typing import ClassVar


class ShimError(Exception):
    """An error that says what is wrong, what to do, and under which stable code.

    `detail` is a sentence for a person and names the way out; `code` is for programs.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self, detail: str, *, code: str | None = None, retry_after: float | None = None, **context: object
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problem_code = code or self.code
        self.retry_after = retry_after
        self.context: Mapping[str, object] = context


class BadInput(ShimError):
    """The request cannot be understood."""

    status, code, title = 400, "bad_input", "Bad input"


class Unauthorized(ShimError):
    """No key, or one that is not known."""

    status, code, title = 401, "unauthorized", "A key is needed"


class Forbidden(ShimError):
    """The key does not allow this."""

    status, code, title = 403, "forbidden", "Not allowed"


class NotFound(ShimError):
    """There is no such thing."""

    status, code, title = 404, "not_found", "Not found"


class Conflict(ShimError):
    """The present state does not allow this."""

    status, code, title = 409, "conflict", "Conflict"


class PreconditionFailed(ShimError):
    """Somebody else changed it in between."""

    status, code, title = 412, "precondition_failed", "Changed in between"


class TooLarge(ShimError):
    """The body is over the limit."""

    status, code, title = 413, "too_large", "Too large"


class Unprocessable(ShimError):
    """Well-formed, but against a rule."""

    status, code, title = 422, "unprocessable", "Not valid"


class RateLimited(ShimError):
    """Too many requests."""

    status, code, title = 429, "rate_limited", "Too many requests"


class Unavailable(ShimError):
    """A store or a service is away; the same request may succeed later."""

    status, code, title = 503, "unavailable", "Not available now"


class StorageFull(ShimError):
    """The disk is full; nothing was written."""

    status, code, title = 507, "storage_full", "Disk full"
