"""`shim service` as the user types it."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shim_stack.service.commands import choose_manager, service
from shim_stack.service.errors import NoServiceManager
from shim_stack.service.launchd import Launchd
from shim_stack.service.systemd import BOOTED, Systemd
from shim_stack.service.unit import home_in_unit

from .fakes import FakeManager, files_below

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="the unit is Linux's")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def invoke(home: Path, *words: str) -> Result:
    config = home.parent / "config"
    return CliRunner().invoke(service, words, env={"SHIM_HOME": str(home), "XDG_CONFIG_HOME": str(config)})


@needs_linux
def test_render_prints_the_unit_and_changes_nothing(home: Path, fake: FakeManager) -> None:
    before = files_below(home.parent)
    result = invoke(home, "install", "--render", "--port", "9000")
    assert result.exit_code == 0
    assert home_in_unit(result.output) == home
    assert f'"{sys.executable}" "-P" "-m" "shim_stack.service"' in result.output
    assert files_below(home.parent) == before
    assert fake.noted == []


@needs_linux
@pytest.mark.skipif(BOOTED.is_dir(), reason="systemd runs this machine")
def test_install_says_that_systemd_does_not_run(home: Path, fake: FakeManager) -> None:
    result = invoke(home, "install")
    assert isinstance(result.exception, NoServiceManager)
    assert "shim up" in str(result.exception)
    assert not home.exists()


@needs_linux
def test_status_and_uninstall_where_nothing_is_installed(home: Path, fake: FakeManager) -> None:
    result = invoke(home, "status", "--json")
    assert result.exit_code == 3
    found = json.loads(result.output)
    assert (found["installed"], found["enabled"], found["running"]) == (False, False, False)
    assert invoke(home, "uninstall").output == "SHIM is not installed as a service.\n"


@needs_linux
def test_status_of_a_service_that_runs(home: Path, fake: FakeManager) -> None:
    unit = home.parent / "config" / "systemd" / "user" / "shim.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(invoke(home, "install", "--render").output)
    fake.know(active=True, enabled=True)
    result = invoke(home, "status")
    assert result.exit_code == 0
    for words in (str(unit), str(home), "active (running): up", "loginctl enable-linger"):
        assert words in " ".join(result.output.split())


def test_each_platform_has_its_manager() -> None:
    assert isinstance(choose_manager("linux", {}), Systemd)
    assert isinstance(choose_manager("darwin", {}), Launchd)
    with pytest.raises(NoServiceManager, match="WSL2"):
        choose_manager("win32", {})
    with pytest.raises(NoServiceManager, match="shim up"):
        choose_manager("freebsd14", {})


def test_the_command_is_installed_with_the_stack() -> None:
    lines = (Path(__file__).parents[2] / "pyproject.toml").read_text().splitlines()
    assert 'service = "shim_stack.service.commands:service"' in lines
