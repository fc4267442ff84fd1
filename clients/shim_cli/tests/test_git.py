import subprocess
from pathlib import Path

import pytest

from shim_cli.connect.git import why_committed

from .conftest import Person


@pytest.fixture
def home(nobody: Person) -> Path:
    return nobody.home


def git(*arguments: str | Path) -> None:
    subprocess.run(["git", *map(str, arguments)], check=True, capture_output=True)


def test_a_file_outside_any_repository_is_not_committed(home: Path) -> None:
    assert why_committed(home / ".claude" / "settings.json", home) is None


def test_a_file_in_a_work_tree_counts_as_committed_until_it_is_ignored(home: Path) -> None:
    git("init", home)
    file = home / ".claude" / "settings.json"
    assert "does not ignore it" in str(why_committed(file, home))
    (home / ".gitignore").write_text(".claude/\n")
    assert why_committed(file, home) is None


def test_a_tracked_file_is_committed_although_it_is_ignored(home: Path) -> None:
    git("init", home)
    (home / "settings.json").write_text("{}")
    (home / ".gitignore").write_text("settings.json\n")
    git("-C", home, "add", "--force", "settings.json")
    assert why_committed(home / "settings.json", home) is not None


def test_a_link_into_a_repository_is_followed(home: Path) -> None:
    git("init", home / "dotfiles")
    (home / "dotfiles" / "settings.json").write_text("{}")
    (home / "settings.json").symlink_to(home / "dotfiles" / "settings.json")
    assert "dotfiles" in str(why_committed(home / "settings.json", home))


@pytest.mark.parametrize("name", [".cfg", ".local/share/yadm/repo.git"])
def test_a_bare_repository_over_the_home_folder_is_seen(home: Path, name: str) -> None:
    bare = home / name
    git("init", "--bare", bare)
    for file in ("tracked.json", "free.json"):
        (home / file).write_text("{}")
    git(f"--git-dir={bare}", f"--work-tree={home}", "-C", home, "add", "tracked.json")
    assert str(bare) in str(why_committed(home / "tracked.json", home))
    assert why_committed(home / "free.json", home) is None


def test_without_git_a_work_tree_is_enough(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", home)
    (home / ".gitignore").write_text("*\n")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert why_committed(home / "settings.json", home) is not None


def test_the_environment_cannot_point_git_elsewhere(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git("init", home / "dotfiles")
    git("init", home / "other")
    (home / "other" / ".gitignore").write_text("*\n")
    monkeypatch.setenv("GIT_DIR", str(home / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(home / "other"))
    assert why_committed(home / "dotfiles" / "settings.json", home) is not None
