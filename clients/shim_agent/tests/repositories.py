"""Real git repositories for tests, made without the user's configuration."""

import hashlib
import os
import subprocess
from pathlib import Path

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ana",
    "GIT_AUTHOR_EMAIL": "ana@example.org",
    "GIT_COMMITTER_NAME": "Ana",
    "GIT_COMMITTER_EMAIL": "ana@example.org",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints."""
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=os.environ | _ENVIRONMENT, capture_output=True, text=True, check=True
    )
    return done.stdout


def make_repository(folder: Path, files: dict[str, str]) -> str:
    """Make a repository with one commit; return the commit."""
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "-q", "-b", "main")
    write(folder, files)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", "first")
    return git(folder, "rev-parse", "HEAD").strip()


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def fingerprint(folder: Path) -> str:
    """A hash over every path, content, mode and time stamp below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        facts = (str(path.relative_to(folder)), status.st_mode, status.st_size, status.st_mtime_ns, status.st_ino)
        digest.update(repr(facts).encode())
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()
