"""What goes wrong is told as a problem, and what is a bug in no detail."""

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from shim_common.web import problems

SECRET = "a detail of nobody's business"


@pytest.fixture
def broken() -> httpx.AsyncClient:
    """A client of an application with a bug."""
    app = FastAPI()
    problems.install(app)

    @app.get("/bug")
    async def bug() -> None:
        raise RuntimeError(SECRET)

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


async def test_a_bug_is_told_without_its_insides_and_found_in_the_log(broken: httpx.AsyncClient) -> None:
    with capture_logs() as logged:
        answer = await broken.get("/bug", headers={"x-request-id": "mine"})
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["request_id"]) == (500, "internal", "mine")
    assert answer.headers["content-type"] == "application/problem+json"
    assert SECRET not in answer.text
    (entry,) = logged
    assert (entry["event"], entry["request_id"], entry["path"]) == ("request.failed", "mine", "/bug")
    assert isinstance(entry["exc_info"], RuntimeError)


async def test_a_path_that_is_not_there_is_a_problem(broken: httpx.AsyncClient) -> None:
    answer = await broken.get("/nothing")
    assert (answer.status_code, answer.json()["code"], answer.json()["instance"]) == (404, "not_found", "/nothing")
