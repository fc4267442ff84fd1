from pathlib import Path
from typing import Any

import pytest

from shim_common.contracts.search import PassageKind, SearchHit

from .conftest import Person
from .fake_shim import NOW, FakeShim


def hit(**values: Any) -> SearchHit:
    facts: dict[str, Any] = {
        "session_id": "ses_1",
        "client": "claude-code",
        "client_session_id": "client-1",
        "project": "/home/ana/webshop",
        "model": "claude-opus-9",
        "position": 7,
        "at": NOW,
        "kind": PassageKind.ERROR,
        "tools": ["Bash"],
        "failed": True,
        "rank": 0.1,
        "snippet": "pytest tests/test_cart.py 1 failed",
        "marks": [(13, 22)],
    }
    return SearchHit.model_validate(facts | values)


def test_finds_are_shown_with_their_place(user: Person, shim: FakeShim) -> None:
    shim.hits = [hit()]

    first, second = user.does("search", "test_cart").splitlines()

    assert "client-1 #7  error Bash failed  /home/ana/webshop" in first
    assert second == "  pytest tests/test_cart.py 1 failed"
    assert shim.requests[-1].query == {"query": "test_cart", "limit": "20"}
    assert user.reads("search", "test_cart")[0]["marks"] == [[13, 22]]


def test_filters_are_passed_on(user: Person, shim: FakeShim, tmp_path: Path) -> None:
    shim.hits = [hit()]
    filters = ["--tool", "Bash", "--failed", "--model", "opus", "--client", "codex", "--limit", "5"]

    user.does("search", "cart", '"whole cents"', "--project", tmp_path, "--since", "2026-11-20", *filters)

    asked = shim.requests[-1].query
    assert asked.pop("since").startswith("2026-11-20T00:00:00")
    assert asked == {
        "query": 'cart "whole cents"',
        "project": str(tmp_path),
        "tool": "Bash",
        "failed": "true",
        "model": "opus",
        "client": "codex",
        "limit": "5",
    }


def test_more_than_a_page_is_found(user: Person, shim: FakeShim) -> None:
    shim.hits = [hit(position=number) for number in range(1, 251)]

    assert [one["position"] for one in user.reads("search", "cart", "--limit", "230")] == list(range(1, 231))


def test_words_that_begin_with_a_minus(user: Person, shim: FakeShim) -> None:
    shim.hits = [hit()]
    user.does("search", "--", "cart", "-test")
    assert shim.requests[-1].query["query"] == "cart -test"


@pytest.mark.parametrize("option", [[], ["--json"]])
def test_nothing_found_ends_with_1(user: Person, option: list[str]) -> None:
    result = user.run("search", "cart", *option)

    assert result.exit_code == 1
    assert ("[]" if option else "Nothing was found") in result.stdout


def test_a_query_without_words(user: Person, shim: FakeShim) -> None:
    result = user.run("search", "!!")

    assert result.exit_code in (1, 2)
    assert "names no word" in result.stderr


def test_found_text_cannot_steer_the_terminal(user: Person, shim: FakeShim) -> None:
    shim.hits = [hit(snippet="\x1b[2Jcart\x07 [bold]x", marks=[(4, 8)], project="/home/\x1bevil")]

    printed = user.does("search", "cart")

    assert "\x1b" not in printed
    assert "\x07" not in printed
    assert "[bold]x" in printed
