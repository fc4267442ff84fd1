import os
import stat
from pathlib import Path

import pytest

from shim_common.embedded.account import Account, current_account
from shim_common.embedded.errors import FolderError
from shim_common.embedded.home import home_tag, shim_home
from shim_common.embedded.run_folder import choose_run_folder, fits_sockets, is_temporary

ME = current_account()


def test_where_the_data_folder_cannot_it_is_the_runtime_folder(home: Path) -> None:
    runtime, odd = home / "runtime", home / "with space"
    runtime.mkdir()
    odd.mkdir()
    assert choose_run_folder(odd, ME, {"XDG_RUNTIME_DIR": str(runtime)}) == runtime / f"shim-{home_tag(odd)}"


def test_it_is_in_the_data_folder(home: Path) -> None:
    folder = choose_run_folder(home, ME, {"XDG_RUNTIME_DIR": str(home)})
    assert list(folder.iterdir()) == []
    assert folder == home / "run"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not is_temporary(folder, home)


@pytest.mark.parametrize("name", ["x" * 100, "with space", "with,comma", "ünï"])
def test_a_path_that_sockets_cannot_have_is_avoided(home: Path, name: str) -> None:
    odd = home / name
    odd.mkdir()
    folder = choose_run_folder(odd, ME, {})
    assert fits_sockets(folder)
    assert is_temporary(folder, odd)
    assert choose_run_folder(odd, ME, {}, recorded=folder) == folder
    folder.rmdir()


def test_a_recorded_folder_that_is_gone_is_not_missed(home: Path) -> None:
    assert choose_run_folder(home, ME, {}, recorded=home / "gone") == home / "run"


def test_a_folder_that_others_may_enter_is_not_used(home: Path) -> None:
    (home / "run").mkdir(mode=0o755)
    folder = choose_run_folder(home, ME, {})
    assert is_temporary(folder, home)
    assert stat.S_IMODE((home / "run").stat().st_mode) == 0o755
    folder.rmdir()


def test_a_link_is_not_followed(home: Path) -> None:
    (home / "elsewhere").mkdir(mode=0o700)
    (home / "run").symlink_to(home / "elsewhere")
    folder = choose_run_folder(home, ME, {})
    assert is_temporary(folder, home)
    folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make folders for somebody else")
def test_for_another_user_the_folder_is_theirs(home: Path, account: Account) -> None:
    home.chmod(0o700)
    folder = choose_run_folder(home, account, {})
    assert is_temporary(folder, home)
    assert folder.stat().st_uid == account.uid
    folder.rmdir()


def test_no_folder_at_all_is_an_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_at_all = Account("a stranger", uid=ME.uid + 4242, gid=ME.gid + 4242)
    if os.geteuid() == 0:
        pytest.skip("root makes a folder for anyone")
    with pytest.raises(FolderError, match="TMPDIR"):
        choose_run_folder(home, nobody_at_all, {})


def test_the_data_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert shim_home({"SHIM_HOME": "/somewhere"}) == Path("/somewhere")
    assert shim_home({"XDG_DATA_HOME": "/data"}) == Path("/data/shim")
    assert shim_home({"XDG_DATA_HOME": "not/absolute"}) == Path.home() / ".local/share/shim"
    assert shim_home({}) == Path.home() / ".local/share/shim"
    monkeypatch.setattr("sys.platform", "darwin")
    assert shim_home({}) == Path.home() / "Library/Application Support/shim"
