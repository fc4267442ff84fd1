"""Whether a file is one that gets committed: a secret must not be written there."""

import os
import shutil
import subprocess
from pathlib import Path

GIT_SECONDS = 5.0

_YADM = ".local/share/yadm/repo.git"

_STEERING = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_NAMESPACE"})
"""Variables that would make git look somewhere else."""


def why_committed(path: Path, home: Path) -> str | None:
    """Return why the file is or may become part of a repository, or None if it surely will not by itself.

    A file counts as committed inside a work tree that does not ignore it, also where git cannot tell, and where a
    bare repository in the home folder tracks it (the usual way to keep dotfiles). Links are followed.
    """
    path = path.resolve()
    folder = next(parent for parent in path.parents if parent.is_dir())
    if any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None if _is_ignored(path, folder) else f"{path} is inside a git work tree that does not ignore it"
    bare = next((bare for bare in _bare_repositories(home) if _tracks(bare, home, path)), None)
    return f"{path} is tracked by the repository {bare}" if bare else None


def _is_ignored(path: Path, folder: Path) -> bool:
    return _git(["-C", str(folder), "check-ignore", "--quiet", "--", str(path)])


def _tracks(bare: Path, home: Path, path: Path) -> bool:
    place = [f"--git-dir={bare}", f"--work-tree={home}"]
    return _git([*place, "-C", str(home), "ls-files", "--error-unmatch", "--", str(path)])


def _bare_repositories(home: Path) -> list[Path]:
    candidates = [home / _YADM, *_subfolders(home)]
    return [path for path in candidates if _is_repository(path)]


def _is_repository(path: Path) -> bool:
    try:
        return (path / "HEAD").is_file() and (path / "objects").is_dir()
    except PermissionError:
        return False


def _subfolders(home: Path) -> list[Path]:
    try:
        return sorted(path for path in home.iterdir() if path.is_dir())
    except OSError:
        return []


def _git(arguments: list[str]) -> bool:
    """Tell whether git says yes; without git, or where it refuses to look, the answer is no."""
    git = shutil.which("git")
    if git is None:
        return False
    environ = {name: value for name, value in os.environ.items() if name not in _STEERING}
    try:
        done = subprocess.run([git, *arguments], capture_output=True, timeout=GIT_SECONDS, check=False, env=environ)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
