"""A user without privileges runs all of it, with the same outcome as root."""

import os
import pwd
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shim_common.embedded.account import Account as FileAccount

from .rig.stack import Account, Stack

NORMAL_USER = "nobody"
"""Owns nothing, may do nothing, and has a name: Postgres refuses to run as a user without one."""


@pytest.fixture
def account() -> Account:
    if os.geteuid() != 0:
        pytest.skip("not root: every other test of this folder runs as a normal user already")
    known = pwd.getpwnam(NORMAL_USER)
    user = FileAccount(known.pw_name, known.pw_uid, known.pw_gid)
    packages = [path for path in sys.path if path and Path(path).is_dir()]
    if not all(user.can_enter(Path(path)) for path in packages if "site-packages" in path or path.endswith("/src")):
        pytest.skip("the checkout or its virtual environment is closed to other users")
    interpreter = next((path for path in _interpreters() if user.can_read(path)), None)
    if interpreter is None:
        pytest.skip(f"no Python {sys.version_info.major}.{sys.version_info.minor} that other users may run")
    return Account(user.uid, user.gid, (str(interpreter), "-P", "-c", "from shim_cli.main import main; main()"))


@pytest.fixture
def theirs(fresh: Stack, account: Account) -> Stack:
    os.chown(fresh.home, account.uid, account.gid)
    fresh.home.chmod(0o700)
    packages = os.pathsep.join(path for path in sys.path if "site-packages" in path or path.endswith("/src"))
    home = fresh.home / "user"
    home.mkdir(mode=0o700)
    os.chown(home, account.uid, account.gid)
    told = {"PYTHONPATH": packages, "PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home), "XDG_RUNTIME_DIR": ""}
    return replace(fresh, account=account, more=told)


def test_a_normal_user_gets_the_same(theirs: Stack, account: Account) -> None:
    theirs.up()
    demo = theirs.shim("demo")

    assert demo.code == 0, demo.output
    assert "stored as sent" in demo.output
    owners = {path.stat().st_uid for path in theirs.home.rglob("*")}
    assert owners == {account.uid}
    assert theirs.record.data_folders["postgres"] == theirs.home / "postgres"
    down = theirs.shim("down")
    assert (down.code, "SHIM is stopped." in down.output) == (0, True)


def _interpreters() -> Iterator[Path]:
    yield Path(sys.executable)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for folder in ("/usr/local/bin", "/usr/bin", "/opt/python/bin"):
        if found := shutil.which(name, path=folder):
            yield Path(found)
