"""Errors at the edge: everything that goes wrong is answered as RFC 9457 problem+json."""

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from shim_common.contracts.problems import FieldError, Problem
from shim_common.kernel.errors import ShimError

MEDIA_TYPE = "application/problem+json"
_SCHEMA = {"$ref": "#/components/schemas/Problem"}
_MOST_FIELD_ERRORS = 20
_CODES = {400: "bad_input", 404: "not_found", 405: "method_not_allowed", 415: "not_json"}
_SAYING = {
    404: "there is nothing at this path; /openapi.json lists what there is",
    405: "this path does not take that method; /openapi.json lists what it takes",
}

log = structlog.get_logger(__name__)


def install(app: FastAPI) -> None:
    """Answer every error of this application as a problem."""
    app.add_exception_handler(ShimError, _on_shim_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(Exception, _on_bug)


def respond(problem: Problem, headers: dict[str, str] | None = None) -> Response:
    """Return the problem as a response."""
    content = problem.model_dump_json(exclude_none=True)
    return Response(content, status_code=problem.status, headers=headers, media_type=MEDIA_TYPE)


def problem_of(error: ShimError, instance: str | None = None, request_id: str | None = None) -> Problem:
    """Return what is told about an error."""
    return Problem(
        title=error.title,
        status=error.status,
        detail=error.detail,
        code=error.problem_code,
        instance=instance,
        request_id=request_id,
    )


def retry_headers(error: ShimError) -> dict[str, str]:
    """Return `Retry-After` where waiting helps."""
    return {} if error.retry_after is None else {"retry-after": str(max(1, round(error.retry_after)))}


def documented(*errors: type[ShimError]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses` of a route that can end in these errors, for the OpenAPI document.

    One of them names the model, which brings its schema into the document; a model for each would take an
    application a tenth of a second to start.
    """
    responses: dict[int | str, dict[str, Any]] = {
        error.status: {"description": error.title, "content": {MEDIA_TYPE: {"schema": _SCHEMA}}} for error in errors
    }
    responses[errors[0].status]["model"] = Problem
    return responses


def _request_id(request: Request) -> str | None:
    return request.headers.get("x-request-id")


async def _on_shim_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, ShimError):
        raise error
    problem = problem_of(error, request.url.path, _request_id(request))
    return respond(problem, retry_headers(error))


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = [
        FieldError(pointer="/" + "/".join(str(part) for part in item["loc"]), detail=item["msg"])
        for item in error.errors()[:_MOST_FIELD_ERRORS]
    ]
    problem = Problem(
        title="Not valid",
        status=422,
        detail="the request does not have the shape that /openapi.json describes; see errors",
        code="invalid",
        instance=request.url.path,
        request_id=_request_id(request),
        errors=[FieldError(pointer=_printable(e.pointer), detail=_printable(e.detail)) for e in found],
    )
    return respond(problem)


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


async def _on_http(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.__cause__, ShimError):  # the framework's word for whatever went wrong in reading the body
        return await _on_shim_error(request, error.__cause__)
    problem = Problem(
        title=str(error.detail),
        status=error.status_code,
        detail=_SAYING.get(error.status_code, str(error.detail)),
        code=_CODES.get(error.status_code, "http_error"),
        instance=request.url.path,
        request_id=_request_id(request),
    )
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    return respond(problem, headers | (_allowed(request) if error.status_code == 405 else {}))


def _allowed(request: Request) -> dict[str, str]:
    """Return the header with every method that the path takes; Starlette knows those of the first route alone."""
    template = getattr(request.scope.get("route"), "path_format", None)
    methods = request.app.openapi()["paths"].get(template, {})
    return {"allow": ", ".join(sorted(method.upper() for method in methods))} if methods else {}


async def _on_bug(request: Request, error: Exception) -> Response:
    log.error(
        "request.failed",
        path=request.url.path,
        request_id=_request_id(request),
        error=type(error).__name__,
        exc_info=error,
    )
    problem = Problem(
        title="Internal error",
        status=500,
        detail="something went wrong inside SHIM; `shim logs` has the details under this request id",
        code="internal",
        instance=request.url.path,
        request_id=_request_id(request),
    )
    return respond(problem)
