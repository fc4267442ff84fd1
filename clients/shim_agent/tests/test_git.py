import os
from pathlib import Path

import pytest

from shim_agent.snapshots.git import Git, GitError, Listed
from shim_agent.snapshots.listing import list_files
from shim_agent.snapshots.observe import observe
from shim_agent.snapshots.rules import Limits
from shim_agent.snapshots.scan import Scanner
from shim_common.kernel.clock import SystemClock

from .repositories import fingerprint, git, make_repository, write

NOW = SystemClock().now()


def test_committed_new_and_ignored_files(project: Path) -> None:
    make_repository(project, {"a b.py": "1", "dir/ü\n.txt": "2", ".gitignore": "*.log\n", "kept.log": "committed"})
    write(project, {"new.py": "3", "x.log": "ignored"})
    assert set(Git(project).files()) == {
        Listed("a b.py", committed=True),
        Listed("dir/ü\n.txt", committed=True),
        Listed(".gitignore", committed=True),
        Listed("kept.log", committed=True),
        Listed("new.py", committed=False),
    }


def test_state_and_diff_of_a_subfolder(project: Path) -> None:
    commit = make_repository(project, {"top.txt": "t\n", "sub/a.txt": "a\n", "sub/b.txt": "b\n", "sub/gone": "x\n"})
    write(project, {"top.txt": "T\n", "sub/a.txt": "A\n", "sub/new.txt": "n\n", "sub/b.txt": "B\n"})
    (project / "sub" / "gone").unlink()
    git(project, "add", "sub/new.txt", "sub/b.txt")
    state = Git(project / "sub").state()
    assert state.commit == commit
    assert sorted(state.modified) == ["a.txt", "b.txt", "gone", "new.txt"]
    assert sorted(state.staged) == ["b.txt", "new.txt"]
    diff = Git(project / "sub").diff(commit, state.modified)
    assert diff is not None
    git(project, "checkout", "-q", "-f", commit)
    (project / "patch").write_bytes(diff)
    git(project / "sub", "apply", "--directory=sub", str(project / "patch"))
    assert (project / "sub" / "a.txt").read_text() == "A\n"
    assert (project / "sub" / "new.txt").read_text() == "n\n"
    assert not (project / "sub" / "gone").exists()
    assert (project / "top.txt").read_text() == "t\n"


def test_a_repository_without_a_commit(project: Path) -> None:
    git(project, "init", "-q")
    write(project, {"a": "1"})
    git(project, "add", "a")
    assert Git(project).state().commit is None
    assert list_files(project).paths == ["a"]


def test_names_with_pattern_characters_are_taken_literally(project: Path) -> None:
    commit = make_repository(project, {"a*": "1\n", "ab": "2\n"})
    write(project, {"a*": "changed\n", "ab": "changed\n"})
    diff = Git(project).diff(commit, ["a*"])
    assert diff is not None
    assert b"a*" in diff
    assert b"ab" not in diff


def test_what_is_no_work_tree_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(GitError):
        Git(tmp_path).files()
    with pytest.raises(GitError):
        Git(tmp_path / "missing").files()


def test_another_repository_in_the_environment_is_not_taken(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_repository(project, {"mine": "1"})
    make_repository(tmp_path / "other", {"other": "1"})
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert [one.path for one in Git(project).files()] == ["mine"]


def test_git_is_never_written_and_runs_nothing_of_the_repository(project: Path, tmp_path: Path) -> None:
    make_repository(project, {"a.txt": "a\n", "b.bin": "b\n", ".gitattributes": "*.bin filter=trap diff=trap\n"})
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    for hook in ("post-index-change", "fsmonitor-watchman", "pre-commit"):
        (project / ".git" / "hooks" / hook).write_text(trap.read_text())
        (project / ".git" / "hooks" / hook).chmod(0o755)
    settings = {
        "core.fsmonitor": str(trap),
        "core.untrackedCache": "true",
        "filter.trap.clean": str(trap),
        "filter.trap.required": "true",
        "diff.trap.textconv": str(trap),
        "diff.trap.command": str(trap),
        "diff.external": str(trap),
        "core.pager": str(trap),
    }
    for name, value in settings.items():
        git(project, "config", name, value)
    # Entries whose stamps no longer fit the index are what git would like to refresh.
    write(project, {"a.txt": "changed\n", "b.bin": "changed\n"})
    os.utime(project / ".gitattributes", (1, 1))
    before = fingerprint(project / ".git")
    observed = observe(Scanner(project, Limits()), NOW)
    assert fingerprint(project / ".git") == before
    assert not (tmp_path / "sprung").exists()
    assert sorted(observed.work_tree.modified) == ["a.txt", "b.bin"]
    assert observed.diff is not None
    assert b"+changed" in observed.diff


def test_secrets_are_neither_in_the_lists_nor_in_the_diff(project: Path) -> None:
    make_repository(project, {".env": "TOKEN=old\n", "a": "1\n"})
    write(project, {".env": "TOKEN=new\n", "a": "2\n"})
    observed = observe(Scanner(project, Limits()), NOW)
    assert list(observed.files) == ["a"]
    assert observed.skipped == {".env": "may hold a secret"}
    assert observed.work_tree.modified == ["a"]
    assert observed.diff is not None
    assert b"TOKEN" not in observed.diff


def test_repositories_inside_the_project_are_taken_too(project: Path) -> None:
    make_repository(project, {"top": "1"})
    make_repository(project / "vendored", {"inner": "2", ".gitignore": "no\n"})
    write(project / "vendored", {"no": "ignored"})
    make_repository(project / "module", {"m": "3"})
    git(project, "add", "module")
    assert set(list_files(project).paths) == {"top", "vendored/inner", "vendored/.gitignore", "module/m"}


def test_a_folder_that_an_outer_repository_ignores_is_walked(tmp_path: Path) -> None:
    make_repository(tmp_path / "outer", {".gitignore": "*\n"})
    write(tmp_path / "outer", {"webshop/a.py": "1"})
    assert list_files(tmp_path / "outer" / "webshop").paths == ["a.py"]
