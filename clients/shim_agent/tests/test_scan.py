import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from shim_agent.snapshots.listing import list_files
from shim_agent.snapshots.rules import MADE_REASON, SECRET_REASON, Limits, TreeRefused
from shim_agent.snapshots.scan import RACY_NS, Scanner, SkippedError

from .repositories import git, make_repository, write


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def test_hash_size_and_mode(project: Path) -> None:
    write(project, {"a/b.sh": "echo"})
    (project / "a" / "b.sh").chmod(0o750)
    ref = Scanner(project, Limits()).scan().files["a/b.sh"]
    assert (ref.sha256, ref.size, ref.mode, ref.link) == (digest("echo"), 4, 0o750, None)


def test_links_are_kept_as_links_and_never_followed(project: Path, tmp_path: Path) -> None:
    write(tmp_path / "outside", {"secret": "s"})
    (project / "to-folder").symlink_to(tmp_path / "outside")
    (project / "to-file").symlink_to("../outside/secret")
    (project / "dangling").symlink_to("nowhere")
    files = Scanner(project, Limits()).scan().files
    assert {path: ref.link for path, ref in files.items()} == {
        "to-folder": str(tmp_path / "outside"),
        "to-file": "../outside/secret",
        "dangling": "nowhere",
    }
    assert files["dangling"].sha256 == digest("nowhere")


def test_a_committed_folder_that_became_a_link_is_not_looked_through(project: Path, tmp_path: Path) -> None:
    make_repository(project, {"folder/file": "mine"})
    write(tmp_path / "outside", {"file": "not mine"})
    shutil.rmtree(project / "folder")
    (project / "folder").symlink_to(tmp_path / "outside")
    scanner = Scanner(project, Limits())
    assert list(scanner.scan().files) == ["folder"]
    with pytest.raises(FileNotFoundError):
        scanner.read("folder/file")


def test_special_files_are_named(project: Path) -> None:
    os.mkfifo(project / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(project / "socket"))
    scan = Scanner(project, Limits()).scan()
    assert scan.files == {}
    assert scan.skipped == {"pipe": "is no regular file", "socket": "is no regular file"}


def test_large_files_are_left_out_and_named(project: Path) -> None:
    write(project, {"large": "x" * 11, "small": "x" * 10})
    scanner = Scanner(project, Limits(file_bytes=10))
    scan = scanner.scan()
    assert list(scan.files) == ["small"]
    assert "larger than 10 bytes" in scan.skipped["large"]
    with pytest.raises(SkippedError):
        scanner.read("large")


def test_names_that_are_not_utf8_are_named(project: Path) -> None:
    (project / os.fsdecode(b"caf\xe9")).write_text("x")
    (project / "link").symlink_to(os.fsdecode(b"caf\xe9"))
    scan = Scanner(project, Limits()).scan()
    assert scan.files == {}
    assert scan.skipped == {r"caf\xe9": "its name is not UTF-8", "link": "links to a name that is not UTF-8"}


@pytest.mark.parametrize("limits", [Limits(files=2), Limits(bytes=2)])
def test_a_tree_over_the_limits_is_refused_with_the_way_out(project: Path, limits: Limits) -> None:
    write(project, {"a": "1", "b": "2", "c": "3"})
    with pytest.raises(TreeRefused, match=r"more than .* 2 .*gitignore"):
        Scanner(project, limits).scan()


def test_without_git_the_ignore_files_of_every_folder_hold(project: Path) -> None:
    write(
        project,
        {
            ".gitignore": "*.log\n/build/\n!keep.log\n\\\n",
            "a.log": "",
            "keep.log": "",
            "build/x": "",
            "sub/build/x": "",
            "sub/.gitignore": "!b.log\nlocal\n",
            "sub/b.log": "",
            "sub/c.log": "",
            "sub/deep/local": "",
            "local": "",
            "node_modules/m/index.js": "",
            "sub/.env": "",
        },
    )
    listing = list_files(project)
    assert set(listing.paths) == {".gitignore", "keep.log", "local", "sub/build/x", "sub/.gitignore", "sub/b.log"}
    assert listing.skipped == {"node_modules/": MADE_REASON, "sub/.env": SECRET_REASON}


def test_with_git_and_without_the_same_files_are_listed(project: Path) -> None:
    write(
        project,
        {
            ".gitignore": "*.o\nout/\n",
            "a.c": "",
            "a.o": "",
            "out/x": "",
            "s/.gitignore": "!b.o\n/c",
            "s/b.o": "",
            "s/c": "",
        },
    )
    walked = sorted(list_files(project).paths)
    git(project, "init", "-q")
    assert sorted(list_files(project).paths) == walked == [".gitignore", "a.c", "s/.gitignore", "s/b.o"]


def test_own_folders_are_not_part_of_the_project(project: Path) -> None:
    write(project, {"a": "", ".claude/settings": "", "shim/data": ""})
    own = [project / ".claude", project / "shim"]
    assert list_files(project, own).paths == ["a"]
    git(project, "init", "-q")
    assert list_files(project, own).paths == ["a"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user can enter; pytest's own ones cannot be."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_files_and_folders_that_cannot_be_read_are_named(open_folder: Path) -> None:
    write(open_folder, {"fine": "1", "closed": "2", "locked/x": "3"})
    (open_folder / "closed").chmod(0)
    (open_folder / "locked").chmod(0)
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.seteuid(65534)
        scan = Scanner(open_folder, Limits()).scan()
    finally:
        if is_root:
            os.seteuid(0)
        (open_folder / "locked").chmod(0o755)
    assert list(scan.files) == ["fine"]
    assert scan.skipped == {
        "closed": "could not be read: Permission denied",
        "locked/": "could not be read: Permission denied",
    }


class CountingScanner(Scanner):
    """Tells which files were read."""

    def __init__(self, root: Path, clock_ns: list[int]) -> None:
        super().__init__(root, Limits(), now_ns=lambda: clock_ns[0])
        self.read_paths: list[str] = []

    def _read(self, path: str) -> object:  # type: ignore[override]
        self.read_paths.append(path)
        return super()._read(path)


def test_unchanged_files_are_not_read_again(project: Path) -> None:
    write(project, {"a": "1", "b": "2"})
    later = [time.time_ns() + 2 * RACY_NS]
    scanner = CountingScanner(project, later)
    first = scanner.scan()
    assert sorted(scanner.read_paths) == ["a", "b"]
    write(project, {"b": "3"})
    second = scanner.scan()
    assert scanner.read_paths[2:] == ["b"]
    assert second.files["a"] == first.files["a"]
    assert second.files["b"].sha256 == digest("3")
    assert scanner.scan() == second


def test_a_file_changed_just_now_is_read_again_until_its_stamp_can_be_trusted(project: Path) -> None:
    """On a coarse file system a second change within the same tick leaves no trace in the stamp."""
    write(project, {"a": "1"})
    changed_at = (project / "a").stat().st_ctime_ns
    clock = [changed_at + RACY_NS - 1]
    scanner = CountingScanner(project, clock)
    scanner.scan()
    scanner.scan()
    assert scanner.read_paths == ["a"] * 2
    clock[0] = changed_at + RACY_NS
    scanner.scan()
    assert scanner.read_paths == ["a"] * 3
    scanner.scan()
    assert scanner.read_paths == ["a"] * 3


def test_a_change_of_mode_alone_is_seen(project: Path) -> None:
    write(project, {"a": "1"})
    (project / "a").chmod(0o644)
    scanner = CountingScanner(project, [time.time_ns() + 2 * RACY_NS])
    scanner.scan()
    (project / "a").chmod(0o755)
    assert scanner.scan().files["a"].mode == 0o755
