"""The command line."""

import sys

import pytest

from shim_mcp.__main__ import main


def test_without_an_address_it_says_what_to_give(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["shim-mcp", "serve"])
    monkeypatch.delenv("SHIM_MCP_URL", raising=False)
    with pytest.raises(SystemExit, match=r"SHIM_MCP_URL is not set; give unix://"):
        main()


def test_another_transport_is_not_served(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["shim-mcp", "sse"])
    with pytest.raises(SystemExit):
        main()
    assert "stdio" in capsys.readouterr().err
