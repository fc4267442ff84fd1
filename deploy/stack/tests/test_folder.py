import os
import stat

import pytest

from shim_stack.errors import AlreadyRunning, BadConfiguration
from shim_stack.folder import DATA_VERSION, DataFolder


def test_it_is_made_private(folder: DataFolder) -> None:
    folder.open()
    folder.open()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert (folder.path / "version").read_text() == f"{DATA_VERSION}\n"


def test_a_folder_that_is_already_there_keeps_its_mode(folder: DataFolder) -> None:
    folder.path.mkdir(mode=0o755)
    folder.open()
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o755


def test_a_damaged_version_is_an_error(folder: DataFolder) -> None:
    folder.open()
    (folder.path / "version").write_text("seven")
    with pytest.raises(BadConfiguration, match="should hold a number"):
        folder.open()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_another_users_folder_is_refused(folder: DataFolder) -> None:
    folder.path.mkdir()
    os.chown(folder.path, 12345, 12345)
    with pytest.raises(BadConfiguration, match="another user"):
        folder.open()


def test_it_has_one_owner(folder: DataFolder) -> None:
    assert not folder.is_owned
    folder.open()
    with folder.owned():
        assert folder.is_owned
        with pytest.raises(AlreadyRunning), folder.owned():
            pass
    assert not folder.is_owned
