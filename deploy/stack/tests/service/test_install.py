"""Installing and uninstalling, against service managers that are played."""

import os
from pathlib import Path

import pytest

from shim_stack.errors import BadConfiguration, NewerData, StackError
from shim_stack.folder import DataFolder
from shim_stack.service.errors import ManagerFailed, NoServiceManager, NotOurs
from shim_stack.service.install import install, uninstall
from shim_stack.service.launchd import Launchd
from shim_stack.service.manager import Manager
from shim_stack.service.spec import ServiceSpec
from shim_stack.service.status import service_status
from shim_stack.service.systemd import Systemd

from ..stand_ins import Stack, row
from .fakes import FakeManager, files_below

ENABLE = ["systemctl --user daemon-reload", "systemctl --user enable shim.service"]
START = ["systemctl --user reset-failed shim.service", "systemctl --user restart shim.service"]


@pytest.fixture
def systemd(tmp_path: Path, fake: FakeManager) -> Systemd:
    return Systemd({"XDG_CONFIG_HOME": str(tmp_path / "config")}, booted=tmp_path)


@pytest.fixture
def launchd(tmp_path: Path, fake: FakeManager) -> Launchd:
    return Launchd(tmp_path / "user", is_up=lambda _: True)


@pytest.fixture
def spec(folder: DataFolder) -> ServiceSpec:
    return ServiceSpec("/opt/shim/bin/python", folder, {"DATABASE_URL": "postgres://ann:secret@h/d"})


def silent(_: str) -> None:
    """Nobody listens."""


def test_a_first_install_writes_enables_and_starts(systemd: Systemd, spec: ServiceSpec, fake: FakeManager) -> None:
    said: list[str] = []
    assert install(systemd, spec, said.append)
    environment = spec.folder.path / "service.env"
    assert said == [
        f"wrote {systemd.file}",
        f"wrote {environment}",
        "enabled: the systemd user unit starts at login",
        "started: SHIM is up",
    ]
    assert fake.changes == ENABLE + START
    assert "secret" not in systemd.file.read_text()
    assert "secret" in environment.read_text()
    assert environment.stat().st_mode & 0o077 == 0
    assert (spec.folder.logs / "runner.log").stat().st_mode & 0o077 == 0


def test_a_second_install_changes_nothing(systemd: Systemd, spec: ServiceSpec, fake: FakeManager) -> None:
    install(systemd, spec, silent)
    fake.forget()
    assert not install(systemd, spec, pytest.fail)
    assert fake.changes == []


def test_a_service_that_was_stopped_is_started(systemd: Systemd, spec: ServiceSpec, fake: FakeManager) -> None:
    install(systemd, spec, silent)
    fake.know(active=False)
    said: list[str] = []
    assert install(systemd, spec, said.append)
    assert not any(line.startswith("wrote") for line in said)
    assert fake.changes[-1] == START[-1]


def test_a_changed_port_is_written_and_the_service_started_again(
    systemd: Systemd, spec: ServiceSpec, fake: FakeManager
) -> None:
    install(systemd, spec, silent)
    fake.forget()
    said: list[str] = []
    assert install(systemd, ServiceSpec(spec.interpreter, spec.folder, {"SHIM_BIND": "127.0.0.1:9"}), said.append)
    assert said[0] == f"wrote {spec.folder.path / 'service.env'}"
    assert fake.changes == ENABLE + START


def test_a_changed_home_leaves_nothing_in_the_old_one(
    tmp_path: Path, systemd: Systemd, spec: ServiceSpec, fake: FakeManager
) -> None:
    install(systemd, spec, silent)
    moved = ServiceSpec(spec.interpreter, DataFolder(tmp_path / "moved"), spec.environ)
    assert install(systemd, moved, silent)
    assert not (spec.folder.path / "service.env").exists()
    assert systemd.home() == tmp_path / "moved"


def test_a_stack_that_runs_is_stopped_before_the_service_starts(
    systemd: Systemd, spec: ServiceSpec, fake: FakeManager, stack: Stack
) -> None:
    stack.start(row("store"), row("agent", after=["store"]))
    said: list[str] = []
    assert install(systemd, spec, said.append)
    pid = stack.started[-1].process.pid
    assert f"stopping the SHIM that `shim up` started (pid {pid}); sessions go on" in said
    assert said[-1] == "started: SHIM is up"
    assert not any(identity.is_alive for identity in stack.seen)
    start = next(one for one in fake.noted if "restart" in one["call"])
    assert start["runner"] is None  # what run.json said when the manager started the service
    assert stack.started[-1].process.wait(10) == 0


def test_a_stack_that_the_service_runs_is_left_to_the_manager(
    systemd: Systemd, spec: ServiceSpec, fake: FakeManager, stack: Stack
) -> None:
    install(systemd, spec, silent)
    stack.start(row("store"))
    fake.know(pid=stack.started[-1].process.pid)
    assert install(systemd, ServiceSpec(spec.interpreter, spec.folder, {}), silent)
    assert fake.changes[-1] == START[-1]
    assert stack.process("store").identity.is_alive


def test_a_stack_on_its_way_up_is_not_handed_over(systemd: Systemd, spec: ServiceSpec, fake: FakeManager) -> None:
    spec.folder.open()
    with spec.folder.owned(), pytest.raises(StackError, match="right now"):
        install(systemd, spec, silent)
    assert START[-1] not in fake.changes


def test_a_start_that_fails_says_where_to_look(systemd: Systemd, spec: ServiceSpec, fake: FakeManager) -> None:
    fake.know(comes_up=False)
    with pytest.raises(ManagerFailed, match=r"Job for shim.service failed.*shim logs runner"):
        install(systemd, spec, silent)
    assert service_status(systemd, spec.folder).running is False


def test_uninstall_takes_out_exactly_what_install_put_in(
    tmp_path: Path, systemd: Systemd, spec: ServiceSpec, fake: FakeManager
) -> None:
    mine = systemd.file.parent / "shim.service.d" / "mine.conf"
    mine.parent.mkdir(parents=True)
    mine.write_text("[Service]\nNice=5\n")
    spec.folder.open()
    before = files_below(tmp_path / "config") | files_below(spec.folder.path)
    install(systemd, spec, silent)
    fake.forget()
    said: list[str] = []
    assert uninstall(systemd, said.append)
    assert files_below(tmp_path / "config") | files_below(spec.folder.path) == before | {"logs/runner.log"}
    assert fake.changes == [
        "systemctl --user disable --now shim.service",
        "systemctl --user daemon-reload",
        "systemctl --user reset-failed shim.service",
    ]
    assert said[0] == "stopped, and no longer started at login"
    assert not uninstall(systemd, pytest.fail)


def test_without_systemd_nothing_is_changed(
    tmp_path: Path, fake: FakeManager, spec: ServiceSpec, systemd: Systemd
) -> None:
    bare = Systemd({"XDG_CONFIG_HOME": str(tmp_path / "config")}, booted=tmp_path / "missing")
    with pytest.raises(NoServiceManager, match="not process 1"):
        install(bare, spec, pytest.fail)
    fake.know(reachable=False)
    with pytest.raises(NoServiceManager, match="No medium found"):
        install(systemd, spec, pytest.fail)
    assert fake.changes == []
    assert not spec.folder.path.exists()
    assert not (tmp_path / "config").exists()


def test_without_systemctl_nothing_is_changed(
    tmp_path: Path, systemd: Systemd, spec: ServiceSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoServiceManager, match="systemctl"):
        install(systemd, spec, pytest.fail)
    assert not spec.folder.path.exists()


def test_files_are_removed_where_the_manager_is_gone(
    tmp_path: Path, systemd: Systemd, spec: ServiceSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(systemd, spec, silent)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert service_status(systemd, spec.folder).running is None
    assert uninstall(systemd, silent)
    assert not systemd.file.exists()


@pytest.mark.parametrize("name", ["systemd", "launchd"])
def test_a_file_of_somebody_else_is_left_alone(
    name: str, spec: ServiceSpec, fake: FakeManager, request: pytest.FixtureRequest
) -> None:
    manager: Manager = request.getfixturevalue(name)
    manager.file.parent.mkdir(parents=True)
    manager.file.write_text("[Service]\nExecStart=/usr/bin/shim\n")
    for action in (lambda: install(manager, spec, silent), lambda: uninstall(manager, silent)):
        with pytest.raises(NotOurs, match="move it away"):
            action()
    assert manager.file.read_text().endswith("/usr/bin/shim\n")
    assert fake.changes == []


def test_data_of_a_newer_shim_is_not_touched(systemd: Systemd, spec: ServiceSpec, fake: FakeManager) -> None:
    spec.folder.open()
    (spec.folder.path / "version").write_text("99\n")
    with pytest.raises(NewerData):
        install(systemd, spec, pytest.fail)
    assert not systemd.file.exists()
    assert fake.changes == []


def test_an_interpreter_that_systemd_cannot_run_changes_nothing(
    systemd: Systemd, spec: ServiceSpec, fake: FakeManager
) -> None:
    with pytest.raises(BadConfiguration):
        install(systemd, ServiceSpec("/opt/$x/python", spec.folder, {}), pytest.fail)
    assert not spec.folder.path.exists()
    assert fake.changes == []


def test_status_tells_the_service_from_a_stack_by_hand(
    systemd: Systemd, spec: ServiceSpec, fake: FakeManager, stack: Stack
) -> None:
    assert not service_status(systemd, spec.folder).installed
    install(systemd, spec, silent)
    stack.start(row("store"))
    pid = stack.started[-1].process.pid
    other = DataFolder(spec.folder.path / "other")  # what the environment names now does not matter
    by_hand = service_status(systemd, other)
    assert (by_hand.installed, by_hand.enabled, by_hand.running) == (True, True, True)
    assert by_hand.home == spec.folder.path
    assert by_hand.by_hand == pid
    fake.know(pid=pid)
    assert service_status(systemd, other).by_hand is None


def test_the_last_words_of_a_service_that_ended_are_not_its_state(systemd: Systemd, fake: FakeManager) -> None:
    assert systemd.state().detail == "inactive (running)"
    fake.know(active=True)
    assert systemd.state().detail == "active (running): up"


def test_lingering_is_explained_until_it_is_on(systemd: Systemd, fake: FakeManager) -> None:
    advice = systemd.advice()
    assert advice is not None
    assert "loginctl enable-linger" in advice
    fake.know(linger=True)
    assert systemd.advice() is None


def test_launchd_loads_the_agent_and_takes_it_out(launchd: Launchd, spec: ServiceSpec, fake: FakeManager) -> None:
    domain = f"gui/{os.getuid()}"
    assert install(launchd, spec, silent)
    assert launchd.file.stat().st_mode & 0o077 == 0  # it holds the variables
    assert fake.changes == [f"launchctl bootstrap {domain} {launchd.file}"]
    assert launchd.state().pid == 4
    assert not install(launchd, spec, pytest.fail)
    fake.forget()
    assert install(launchd, ServiceSpec(spec.interpreter, spec.folder, {}), silent)
    bootout = f"launchctl bootout {domain}/shim.stack"
    assert fake.changes == [bootout, f"launchctl bootstrap {domain} {launchd.file}"]
    fake.forget()
    assert uninstall(launchd, silent)
    assert fake.changes == [bootout]
    assert not launchd.file.exists()


def test_launchd_is_told_to_enable_what_was_disabled(launchd: Launchd, spec: ServiceSpec, fake: FakeManager) -> None:
    fake.know(disabled=True)
    install(launchd, spec, silent)
    assert fake.changes[0] == f"launchctl enable gui/{os.getuid()}/shim.stack"
    assert launchd.state().enabled is True


def test_without_a_login_at_the_screen_launchd_changes_nothing(
    launchd: Launchd, spec: ServiceSpec, fake: FakeManager
) -> None:
    fake.know(reachable=False)
    with pytest.raises(NoServiceManager, match="at the screen"):
        install(launchd, spec, pytest.fail)
    assert launchd.state().running is None
    assert not spec.folder.path.exists()
