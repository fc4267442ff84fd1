from pathlib import Path

import pytest

from shim_agent.snapshots.rules import (
    MADE_REASON,
    MAX_REASONS,
    MORE,
    SECRET_REASON,
    TreeRefused,
    bounded,
    left_out,
    parents,
    project_root,
    storable_path,
    unsafe_path,
)


@pytest.mark.parametrize("path", [".env", "a/.env.local", "x.pem", "keys/id_rsa", "id_ed25519.pub", "a/b/.netrc"])
def test_secrets_are_left_out_even_if_committed(path: str) -> None:
    assert left_out(path, committed=True) == SECRET_REASON


@pytest.mark.parametrize(
    "path", ["node_modules/", "a/node_modules/x.js", ".venv/bin/python", "target/debug/a", "a.pyc"]
)
def test_what_tools_make_is_left_out_unless_it_is_committed(path: str) -> None:
    assert left_out(path) == MADE_REASON
    assert left_out(path, committed=True) is None


@pytest.mark.parametrize("path", ["environment.py", "src/target.py", "a/b.txt", "targets/x", "pem/x", "keys.py"])
def test_everything_else_is_kept(path: str) -> None:
    assert left_out(path) is None


@pytest.mark.parametrize("inner", ["", "..", "../..", "/"])
def test_the_home_folder_and_what_holds_it_are_refused(tmp_path: Path, inner: str) -> None:
    home = tmp_path / "home" / "ana"
    home.mkdir(parents=True)
    with pytest.raises(TreeRefused, match="home folder"):
        project_root(home / inner, home)


def test_a_link_to_the_home_folder_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "ana"
    home.mkdir()
    (tmp_path / "project").symlink_to(home)
    with pytest.raises(TreeRefused, match="home folder"):
        project_root(tmp_path / "project", home)


def test_folders_below_and_beside_the_home_folder_are_taken(tmp_path: Path) -> None:
    home = tmp_path / "ana"
    for folder in (home / "webshop", tmp_path / "anabel"):
        folder.mkdir(parents=True)
        assert project_root(folder, home) == folder


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("file", "missing"):
        with pytest.raises(TreeRefused, match=name):
            project_root(tmp_path / name, tmp_path / "home")


@pytest.mark.parametrize(
    "path", ["/a", "../a", "a/../b", "a//b", "./a", "a/.", "a/", "", "a\0b", ".git/config", "a/.GIT/hooks/x"]
)
def test_paths_that_are_never_written(path: str) -> None:
    assert unsafe_path(path)


@pytest.mark.parametrize("path", ["a", "a/b c/d", ".gitignore", "..a", "a\nb", "-rf", "ü"])
def test_paths_that_are_fine(path: str) -> None:
    assert unsafe_path(path) is None
    assert storable_path(path) is None


def test_names_that_cannot_be_stored_have_a_reason() -> None:
    assert storable_path("a\udcff")
    assert storable_path("x" * 4097)
    assert storable_path("a\\b")


def test_reasons_are_bounded() -> None:
    few, many = {"a": "b"}, {str(number): "b" for number in range(MAX_REASONS + 5)}
    assert bounded(few) == few
    assert bounded(many)[MORE].startswith("5 ")
    assert len(bounded(many)) == MAX_REASONS + 1


def test_parents() -> None:
    assert parents("a/b/c") == ["a", "a/b"]
    assert parents("a") == []
