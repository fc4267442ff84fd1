import os
from pathlib import Path

import pytest

from shim_common.embedded.account import Account, current_account
from shim_common.embedded.cluster_place import locate_cluster
from shim_common.embedded.errors import FolderError
from shim_common.embedded.home import home_tag

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs Postgres as somebody else")


def made(data: Path, account: Account) -> None:
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("18\n")
    account.give(data)


def test_it_lies_in_the_data_folder(home: Path) -> None:
    assert locate_cluster(home, current_account()).data == home / "postgres"


@needs_root
def test_it_lies_beside_a_closed_data_folder(home: Path, account: Account) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    place = locate_cluster(closed, account, system_root=home / "system")
    assert place.data == home / "system" / home_tag(closed) / "postgres"
    assert place.warning is None
    assert account.can_enter(place.data.parent)


@needs_root
def test_the_last_resort_comes_with_a_warning(home: Path, account: Account) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    (home / "a file").touch()
    place = locate_cluster(closed, account, system_root=home / "a file")
    assert place.warning is not None
    assert str(place.data) in place.warning
    place.data.parent.rmdir()


@needs_root
def test_a_cluster_stays_where_it_was_made(home: Path, account: Account) -> None:
    closed = home / "closed"
    closed.mkdir(mode=0o700)
    first = locate_cluster(closed, account, system_root=home / "system")
    made(first.data, account)
    closed.chmod(0o755)
    assert locate_cluster(closed, account, system_root=home / "system") == first


@needs_root
def test_a_cluster_that_cannot_be_reached_is_not_replaced(home: Path, account: Account) -> None:
    made(home / "postgres", account)
    home.chmod(0o700)
    with pytest.raises(FolderError, match="closed"):
        locate_cluster(home, account, system_root=home / "system")


@needs_root
def test_somebody_elses_cluster_is_not_touched(home: Path, account: Account) -> None:
    made(home / "postgres", current_account())
    with pytest.raises(FolderError, match="does not belong"):
        locate_cluster(home, account)
