"""A user without privileges runs all of it, with the same outcome as root."""

import os
import pwd
from collections.abc import Iterator

import pytest

from shim_common.embedded.account import Account

from .rig.interpreter import interpreter_for
from .rig.stack import Stack, User, free_port, stack_folder

pytestmark = pytest.mark.stack

NORMAL_USER = "nobody"
"""Owns nothing, may do nothing, and has a name: Postgres refuses to run as a user without one."""


@pytest.fixture
def theirs() -> Iterator[Stack]:
    """A stack of a normal user in a closed home."""
    if os.geteuid() != 0:
        pytest.skip("not root: every other test of this folder runs as a normal user already")
    known = pwd.getpwnam(NORMAL_USER)
    with stack_folder("theirs/home") as (folder, home):
        interpreter = interpreter_for(Account(known.pw_name, known.pw_uid, known.pw_gid), folder)
        if interpreter is None:
            pytest.skip("the checkout or its virtual environment is closed to other users")
        home.parent.mkdir(mode=0o700)
        os.chown(home.parent, known.pw_uid, known.pw_gid)
        user = User(
            known.pw_uid, known.pw_gid, (str(interpreter.path), "-P", "-c", "from shim_cli.main import main; main()")
        )
        yield Stack(home, free_port(), {**interpreter.environ, "HOME": str(home.parent), "XDG_RUNTIME_DIR": ""}, user)


def test_a_normal_user_gets_the_same(theirs: Stack) -> None:
    assert theirs.user is not None
    theirs.up()
    demo = theirs.shim("demo")

    assert demo.code == 0, demo.output
    assert "webshop.jsonl: stored as sent" in demo.output
    with theirs.api() as api:
        assert not list(api.sessions(10))  # the demonstration leaves nothing behind
    assert {path.stat().st_uid for path in theirs.home.rglob("*")} == {theirs.user.uid}
    assert theirs.record.data_folders["postgres"] == theirs.home / "postgres"
    down = theirs.shim("down")
    assert (down.code, "SHIM is stopped." in down.output) == (0, True)
