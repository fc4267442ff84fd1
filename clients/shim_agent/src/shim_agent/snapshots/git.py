"""Asks git about a work tree without ever writing to its `.git` or running what its configuration names."""

import os
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_TIMEOUT_SECONDS = 60
_MAX_ARGUMENT_BYTES = 64 * 1024
"""Paths in one command line: well below the least limit that systems have (POSIX: 4 KiB, Linux: 128 KiB each)."""

MAX_DIFF_BYTES = 8 * 1024 * 1024

_SAFE = (
    "-c", "core.fsmonitor=false",
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.untrackedCache=false",
    "-c", "core.quotePath=false",
    "-c", "diff.autoRefreshIndex=false",
    "-c", "submodule.recurse=false",
)  # fmt: skip


_FIELDS_BEFORE_PATH = {"1": 8, "u": 10}
"""git-status(1), "Porcelain Format Version 2": changed and unmerged entries."""


class GitError(Exception):
    """Git is missing, or refused: the folder is no work tree, or not the user's own."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A path that git names. One that is a folder is a repository of its own, or a submodule."""

    path: str
    committed: bool


@dataclass(frozen=True, slots=True)
class WorkTreeState:
    """How the work tree differs from its commit; `commit` is None before the first one."""

    commit: str | None = None
    modified: list[str] = field(default_factory=list)
    staged: list[str] = field(default_factory=list)


class Git:
    """Read-only commands in one folder of a work tree. Every method raises GitError where git does not answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._filters: list[str] | None = None

    def files(self) -> list[Listed]:
        """Return committed, staged and new files below the folder, without the ignored ones."""
        output = self._run("ls-files", "-z", "-t", "--cached", "--others", "--exclude-standard")
        found = {}
        for item in _split(output):
            tag, _, path = item.partition(" ")
            found[path] = Listed(path, committed=tag != "?")
        return list(found.values())

    def state(self) -> WorkTreeState:
        """Return the commit, and the paths below the folder that differ from it or are staged."""
        prefix = self._run("rev-parse", "--show-prefix").removesuffix("\n")
        output = self._run(
            "status", "--porcelain=v2", "-z", "--branch", "--no-renames", "--untracked-files=no",
            "--ignore-submodules=all", "--", ".",
        )  # fmt: skip
        commit: str | None = None
        modified: list[str] = []
        staged: list[str] = []
        for item in _split(output):
            if item.startswith("# branch.oid "):
                oid = item.removeprefix("# branch.oid ")
                commit = None if oid == "(initial)" else oid
            elif item[0] in _FIELDS_BEFORE_PATH:
                fields = item.split(" ", _FIELDS_BEFORE_PATH[item[0]])
                path = fields[-1].removeprefix(prefix)
                modified.append(path)
                if not fields[1].startswith("."):
                    staged.append(path)
        return WorkTreeState(commit, modified, staged)

    def diff(self, commit: str, paths: Sequence[str]) -> bytes | None:
        """Return the difference of these paths to the commit, None where it is larger than `MAX_DIFF_BYTES`."""
        parts: list[bytes] = []
        room = MAX_DIFF_BYTES
        for chunk in _in_chunks(paths):
            part = self._run_bytes(
                "diff", "--binary", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames",
                "--ignore-submodules=all", "--relative", commit, "--", *chunk,
                literal_paths=True,
            )  # fmt: skip
            room -= len(part)
            if room < 0:
                return None
            parts.append(part)
        return b"".join(parts)

    def _run(self, *arguments: str) -> str:
        return os.fsdecode(self._run_bytes(*arguments))

    def _run_bytes(self, *arguments: str, literal_paths: bool = False) -> bytes:
        environment = _environment() | ({"GIT_LITERAL_PATHSPECS": "1"} if literal_paths else {})
        if self._filters is None:
            self._filters = []
            self._filters = self._without_filters()
        command = ["git", *_SAFE, *self._filters, *arguments]
        return self._answer(command, environment)

    def _answer(self, command: Sequence[str], environment: dict[str, str]) -> bytes:
        try:
            done = subprocess.run(
                command,
                cwd=self._folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitError(f"git could not be run: {type(error).__name__}") from error
        if done.returncode:
            raise GitError(f"git refused with {done.returncode}")
        return done.stdout

    def _without_filters(self) -> list[str]:
        """Switch off configured content filters: they are programs, and some write below `.git`."""
        try:
            output = self._run("config", "-z", "--name-only", "--get-regexp", r"^filter\..*\.(clean|process|smudge)$")
        except GitError:
            return []
        drivers = {name.rpartition(".")[0] for name in _split(output)}
        return [
            part
            for driver in sorted(drivers)
            for setting in ("clean=", "process=", "smudge=", "required=false")
            for part in ("-c", f"{driver}.{setting}")
        ]


def _environment() -> dict[str, str]:
    """Take over the user's environment, but neither locks nor another repository that it may point to."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return inherited | {
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_PAGER": "cat",
        "LC_ALL": "C",
    }


def _split(output: str) -> list[str]:
    return [item for item in output.split("\0") if item]


def _in_chunks(paths: Iterable[str]) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for path in paths:
        if chunk and size + len(path) > _MAX_ARGUMENT_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(path)
        size += len(os.fsencode(path)) + 1
    if chunk:
        yield chunk
