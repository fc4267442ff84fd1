"""Lists the files of a project that a snapshot takes in."""

import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pathspec import GitIgnoreSpec

from shim_agent.snapshots.git import Git, GitError
from shim_agent.snapshots.rules import left_out, storable_path

_IGNORE_FILE = ".gitignore"
_MAX_IGNORE_BYTES = 1024 * 1024


@dataclass(slots=True)
class Listing:
    """Paths to take in, relative with forward slashes, and what is left out for which reason."""

    paths: list[str] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A path that may be taken in; one that ends in a slash is a folder left out as a whole."""

    path: str
    committed: bool = False
    problem: str | None = None


def list_files(root: Path, without: Collection[Path] = ()) -> Listing:
    """List the files below `root`, by git where it is a work tree, else by the folder's `.gitignore` files.

    Folders in `without` are left out: they are SHIM's and the assistant's own.
    """
    listing = Listing()
    own = {folder.resolve() for folder in without}
    for candidate in _candidates(root, "", own):
        path = candidate.path
        reason = candidate.problem or left_out(path, committed=candidate.committed) or storable_path(path)
        if reason is not None:
            listing.skipped[printable(path)] = reason
        else:
            listing.paths.append(path)
    return listing


def printable(path: str) -> str:
    """Return a path as text that can be stored; bytes that are not UTF-8 are shown as escapes."""
    return os.fsencode(path).decode(errors="backslashreplace")


def _candidates(root: Path, prefix: str, own: Collection[Path]) -> Iterator[_Candidate]:
    """Yield what lies below a folder that may be a repository: the project, or one inside it."""
    try:
        listed = Git(root / prefix).files()
    except GitError:
        listed = []
    if not listed:  # no work tree, or one that ignores this whole folder
        yield from _walk(root, prefix, own)
    for one in listed:
        path = prefix + one.path
        place = root / path
        if any(place.is_relative_to(folder) for folder in own):
            continue
        if place.is_symlink() or not place.is_dir():
            yield _Candidate(path, one.committed)
        elif (place / ".git").exists():
            yield from _candidates(root, path.rstrip("/") + "/", own)


def _walk(root: Path, prefix: str, own: Collection[Path]) -> Iterator[_Candidate]:
    """Yield what lies below a folder, honouring `.gitignore` files; links are not followed."""
    open_folders: list[tuple[str, _Ignored]] = [(prefix, ())]
    while open_folders:
        folder, ignored = open_folders.pop()
        try:
            entries = sorted(os.scandir(root / folder), key=lambda entry: entry.name)
        except OSError as error:
            yield _Candidate(folder, problem=unreadable(error))
            continue
        if any(entry.name == _IGNORE_FILE for entry in entries):
            ignored = (_ignore_file(root, folder), *ignored)
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            path = folder + entry.name + ("/" if is_folder else "")
            if entry.name == ".git" or _is_ignored(path, ignored):
                continue
            if not is_folder or left_out(path):
                yield _Candidate(path)
            elif root / path not in own:
                open_folders.append((path, ignored))


_Ignored = tuple[tuple[str, GitIgnoreSpec], ...]
"""The `.gitignore` files that hold in a folder with the folders that they lie in, innermost first."""


def _ignore_file(root: Path, folder: str) -> tuple[str, GitIgnoreSpec]:
    try:
        with (root / folder / _IGNORE_FILE).open(encoding="utf-8", errors="replace") as file:
            lines = file.read(_MAX_IGNORE_BYTES).splitlines()
    except OSError:
        lines = []
    return folder, _spec(lines)


def _spec(lines: Sequence[str]) -> GitIgnoreSpec:
    """Understand the lines of a `.gitignore`; one that is no pattern is passed over, as git does."""
    try:
        return GitIgnoreSpec.from_lines(lines)
    except ValueError:
        return GitIgnoreSpec.from_lines(line for line in lines if _is_pattern(line))


def _is_pattern(line: str) -> bool:
    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True


def _is_ignored(path: str, ignored: _Ignored) -> bool:
    for folder, spec in ignored:
        verdict = spec.check_file(path.removeprefix(folder)).include
        if verdict is not None:
            return verdict
    return False


def unreadable(error: OSError) -> str:
    """Return the reason that stands for a path that could not be read."""
    return f"could not be read: {error.strerror or type(error).__name__}"
