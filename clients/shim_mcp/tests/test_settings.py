"""Settings come from the environment."""

from pathlib import Path

import pytest

from shim_mcp.settings import Settings


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("URL", "HOME", "KEY_FILE", "MCP_URL", "ALLOWED_HOSTS"):
        monkeypatch.delenv(f"SHIM_{name}", raising=False)


def test_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIM_HOME", "/data/shim")
    monkeypatch.setenv("SHIM_URL", "")
    settings = Settings()
    assert settings.url == "http://127.0.0.1:7446"
    assert settings.key_path == Path("/data/shim/keys/agent.key")
    assert settings.allowed_hosts == ("127.0.0.1", "localhost", "[::1]")


def test_everything_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHIM_URL", "http://gateway:7446")
    monkeypatch.setenv("SHIM_KEY_FILE", "/run/secrets/shim")
    monkeypatch.setenv("SHIM_MCP_URL", "http://0.0.0.0:7450")
    monkeypatch.setenv("SHIM_ALLOWED_HOSTS", "gateway, shim.example ,")
    settings = Settings()
    assert settings.key_path == Path("/run/secrets/shim")
    assert settings.mcp_url == "http://0.0.0.0:7450"
    assert settings.allowed_hosts == ("gateway", "shim.example")
