from importlib.metadata import entry_points

import pytest

from shim_cli import demo
from shim_cli.output import console

from .conftest import Person
from .fake_shim import FakeShim


def test_the_demonstration_kills_recovers_verifies_and_cleans_up(user: Person, shim: FakeShim) -> None:
    shown = user.does("demo")
    assert "Interrupted (certain)" in shown
    assert "webshop.jsonl: stored as sent" in shown
    assert [event for event, _, _ in shim.hooks].count("SessionStart") == 2
    assert len(shim.exits) == 1
    assert {payload["cwd"] for _, payload, _ in shim.hooks} == {str(demo.PROJECT)}
    assert shim.sessions == {}


def test_the_call_in_flight_had_reported_its_result_to_a_hook(user: Person, shim: FakeShim) -> None:
    """What the transcript had not seen yet: the last hook before the kill is the one that brings the outcome."""
    user.does("demo")
    events = [event for event, _, _ in shim.hooks]
    before = events[: events.index("SessionStart", 1)]
    assert before[-1] in ("PostToolUse", "PostToolUseFailure")


def test_the_demonstration_fails_when_the_kill_goes_unnoticed(user: Person, shim: FakeShim) -> None:
    user.run("demo")
    shim.recovery = shim.recover(shim.requests[0])[1]
    result = user.run("demo")
    assert result.exit_code == 1
    assert "not recognised as an interruption" in result.stdout


def test_the_stack_finds_the_demonstration(user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {point.name: point.value for point in entry_points(group="shim.demo")}
    if not found:
        pytest.skip("the command was installed before it had a demonstration; run `make install`")
    assert found == {"demo": "shim_cli.demo:run"}
    assert demo.run(console()) == 0
