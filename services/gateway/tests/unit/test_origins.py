"""Checks 7 and 8: which names are ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_gateway.domain.origins import Origins

ours = Origins(7446, ["shim.internal", "Box.LAN"])

HOSTS = ("127.0.0.1", "localhost", "LOCALHOST:7446", "[::1]:7446", "127.0.0.1:80", "shim.internal", "box.lan:7446")
FOREIGN_HOSTS = (
    "",
    "evil.example",
    "localhost:7446/#@evil.example",
    "localhost@evil.example",
    "user:pass@localhost",
    "localhost:7446:80",
    "localhost:",
    "localhost:123456",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1, evil.example",
    "localhost evil.example",
    "localhost\tevil.example",
    "0.0.0.0",
    "[::1",
    "::1",
    "[::ffff:127.0.0.1]",
    "2130706433",
    "localhost\n",
    "xlocalhost",
)


@pytest.mark.parametrize("host", HOSTS)
def test_07_our_own_hosts_are_taken(host: str) -> None:
    assert ours.takes_host(host)


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
def test_07_foreign_hosts_are_not(host: str) -> None:
    assert not ours.takes_host(host)


@given(st.text(max_size=50))
def test_07_no_other_text_is_a_host_of_ours(text: str) -> None:
    name = text.lower().rpartition(":")[0] or text.lower()
    assert not ours.takes_host(text) or name in {"127.0.0.1", "localhost", "[::1]", "shim.internal", "box.lan"}


@pytest.mark.parametrize("origin", ["http://localhost:7446", "https://127.0.0.1:7446", "HTTP://[::1]:7446"])
def test_08_pages_of_ours_may_call(origin: str) -> None:
    assert ours.takes_origin(origin)


@pytest.mark.parametrize(
    "origin",
    ["null", "", "http://localhost", "http://localhost:3000", "http://evil.example", "file://", "localhost:7446"],
)
def test_08_other_pages_may_not(origin: str) -> None:
    assert not ours.takes_origin(origin)
