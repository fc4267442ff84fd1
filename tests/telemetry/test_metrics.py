"""Every service tells its figures through the gateway: all there at 0 from the start, moving with the work."""

import httpx
import pytest

from shim_common.contracts.sessions import SessionState

from ..stack.rig.player import replay
from ..stack.rig.recordings import SHIPPED
from ..stack.rig.stack import Stack
from .figures import PATHS, Figures, declared, label_values, scraped, value

pytestmark = pytest.mark.stack

APPEND = "/v1/sessions/{sid}/entries"


@pytest.fixture(scope="module")
def at_start(stack: Stack) -> dict[str, Figures]:
    """The figures before anything happened."""
    return {service: scraped(stack, service) for service in PATHS}


@pytest.mark.parametrize("service", PATHS)
def test_every_declared_figure_is_there_from_the_start(at_start: dict[str, Figures], service: str) -> None:
    assert declared(service).keys() <= at_start[service].keys()
    moved = {name for (name, _), number in at_start[service].items() if name.startswith("shim_") and number != 0}
    # the agent's event stream is open, and it has asked for the restart policies
    passed_on = {
        "shim_requests_passed_on_total",
        *(f"shim_service_seconds_{part}" for part in ("bucket", "sum", "count")),
    }
    assert moved <= ({"shim_event_listeners", *passed_on} if service == "gateway" else set())


def test_figures_move_with_a_replay(stack: Stack, at_start: dict[str, Figures]) -> None:
    with stack.api() as api:
        report = replay(api, SHIPPED, kill_at=60)
        assert report.is_equal
        assert report.session is not None
        stored = api.session(report.session.id)
        interrupted = [one for one in api.checkpoints(stored.id, 100) if one.trigger == "interruption"]
    gateway, checkpointer = scraped(stack, "gateway"), scraped(stack, "checkpointer")

    assert value(checkpointer, "shim_entries_total") == stored.position
    assert value(checkpointer, "shim_checkpoints_total") == stored.checkpoints
    for event in ("started", "interrupted", "resumed", "ended"):
        assert value(checkpointer, "shim_sessions_total", event=event) == 1
    assert value(checkpointer, "shim_checkpoints_total", trigger="interruption") == len(interrupted) == 1
    assert value(checkpointer, "shim_append_seconds_count") >= report.requests
    passed = value(gateway, "shim_requests_passed_on_total", service="checkpointer", status="2xx")
    assert passed >= report.requests + report.hooks
    assert value(gateway, "shim_service_seconds_count", service="checkpointer") >= passed


def test_rate_errors_and_duration_of_every_route(stack: Stack) -> None:
    with httpx.Client(base_url=stack.url, headers={"Authorization": f"Bearer {stack.key()}"}, trust_env=False) as http:
        assert http.post(APPEND.format(sid="nobody"), json={"entries": []}).status_code == 404
        assert http.get("/v1/version").status_code == 200
    gateway, checkpointer = scraped(stack, "gateway"), scraped(stack, "checkpointer")

    assert value(checkpointer, "http_requests_total", handler=APPEND, method="POST", status="200") > 0
    assert value(checkpointer, "http_requests_total", handler=APPEND, method="POST", status="404") == 1
    assert value(checkpointer, "http_request_duration_seconds_count", handler=APPEND) > 0
    assert value(gateway, "http_requests_total", handler="/v1/version", method="GET", status="200") > 0
    assert value(gateway, "http_request_duration_seconds_count", handler="/v1/version") > 0
    routes = label_values(gateway, "handler") | label_values(checkpointer, "handler")
    assert not [route for route in routes if "nobody" in route or "ses_" in route]  # templates, never paths


def test_a_refusal_is_counted_by_its_reason(stack: Stack) -> None:
    assert httpx.get(f"{stack.url}/v1/version", trust_env=False).status_code == 401
    foreign = {"Authorization": f"Bearer {stack.key()}", "Origin": "https://example.org"}
    assert httpx.get(f"{stack.url}/v1/version", headers=foreign, trust_env=False).status_code == 403
    gateway = scraped(stack, "gateway")

    assert value(gateway, "shim_requests_refused_total", why="key") == 1
    assert value(gateway, "shim_requests_refused_total", why="origin") == 1


def test_no_session_is_interrupted_without_a_checkpoint(stack: Stack) -> None:
    with stack.api() as api:
        sessions = list(api.sessions(1000))
        kept = {session.id: api.checkpoints(session.id, 1) for session in sessions}
    checkpointer = scraped(stack, "checkpointer")

    assert value(checkpointer, "shim_sessions_total", event="interrupted") > 0
    assert value(checkpointer, "shim_sessions_interrupted_without_checkpoint_total") == 0
    assert all(kept[session.id] for session in sessions if session.state is SessionState.INTERRUPTED)


def test_figures_are_for_keys_that_read_and_for_services_that_have_some(stack: Stack) -> None:
    for path in PATHS.values():
        assert httpx.get(stack.url + path, trust_env=False).status_code == 401
        hooks = {"Authorization": f"Bearer {stack.key('ingest')}"}
        assert httpx.get(stack.url + path, headers=hooks, trust_env=False).status_code == 403
    admin = {"Authorization": f"Bearer {stack.key()}"}
    assert httpx.get(f"{stack.url}/metrics/nobody", headers=admin, trust_env=False).status_code == 404
    assert httpx.get(f"{stack.url}/metrics/mcp", headers=admin, trust_env=False).status_code == 404
