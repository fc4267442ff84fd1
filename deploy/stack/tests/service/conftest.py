"""A user with a folder of their own and service managers that are played."""

from pathlib import Path

import pytest

from .fakes import LAUNCHCTL, LOGINCTL, SYSTEMCTL, FakeManager


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeManager:
    """The only service managers on the PATH."""
    fake = FakeManager.make(tmp_path / "fake", systemctl=SYSTEMCTL, loginctl=LOGINCTL, launchctl=LAUNCHCTL)
    monkeypatch.setenv("PATH", fake.path)
    monkeypatch.setenv("SHIM_HOME", str(tmp_path / "home"))
    return fake
