"""Fetching the client, up to the point where npm would be needed."""

from pathlib import Path

import pytest
from harness.install import NEWEST, ClientUnavailable, cache_folder, install, newest


@pytest.fixture
def no_npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("SHIM_TEST_CLAUDE_VERSION", raising=False)


def cached(cache: Path, version: str) -> Path:
    binary = cache / f"claude-code-{version}/node_modules/@anthropic-ai/claude-code-linux-x64/claude"
    binary.parent.mkdir(parents=True)
    binary.touch()
    return binary


@pytest.mark.usefixtures("no_npm")
def test_without_npm_says_so(tmp_path: Path) -> None:
    for wanted in (NEWEST, "2.1.197"):
        with pytest.raises(ClientUnavailable, match="npm is not installed"):
            install(wanted, tmp_path)


@pytest.mark.usefixtures("no_npm")
def test_without_npm_the_cache_serves(tmp_path: Path) -> None:
    cached(tmp_path, "2.1.99")
    binary = cached(tmp_path, "2.1.329")
    assert install("2.1.329", tmp_path).executable == binary
    assert install(NEWEST, tmp_path).version == "2.1.329"


@pytest.mark.usefixtures("no_npm")
def test_an_installation_without_binary_is_of_no_use(tmp_path: Path) -> None:
    cached(tmp_path, "2.1.329").unlink()
    with pytest.raises(ClientUnavailable, match="no binary"):
        install("2.1.329", tmp_path)


def test_the_newest_version_can_be_pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHIM_TEST_CLAUDE_VERSION", "2.1.300")
    assert newest(tmp_path) == "2.1.300"


def test_the_cache_can_be_moved(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SHIM_TEST_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
