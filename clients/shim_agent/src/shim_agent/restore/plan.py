"""What a restore would do, found out without writing anything."""

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from shim_agent.restore.tree import RestoreBlocked, Tree
from shim_agent.snapshots.rules import MORE, Limits, parents, project_root, unsafe_path
from shim_agent.snapshots.scan import Scanner
from shim_common.contracts.sessions import FileRef, SnapshotFiles

_NO_LIMITS = Limits(files=10**9, bytes=10**15)
"""A tree that grew too large for a snapshot can still be brought back to what it was."""


class Action(StrEnum):
    """What becomes of a file."""

    CREATE = "create"
    CHANGE = "change"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One file, and what becomes of it; `ref` is what it will be, None where it is deleted."""

    action: Action
    path: str
    ref: FileRef | None = None


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """Everything that a restore will do in a folder. `unchanged` files are as in the snapshot already."""

    folder: Path
    in_place: bool
    changes: tuple[Change, ...]
    unchanged: int


def plan_restore(
    manifest: SnapshotFiles, folder: Path, *, in_place: bool, without: Collection[Path] = ()
) -> RestorePlan:
    """Compare a snapshot with a folder and say what it takes to make them equal.

    In place, files that came after the snapshot are deleted, but only such as a snapshot would hold: ignored
    files, secrets and everything that was left out stay. Into a folder of one's choice, nothing is deleted.
    `without` are folders that are SHIM's and the assistant's own.

    Raises:
        TreeRefused: in place, the folder is the home folder or no folder at all.
        RestoreBlocked: something is in the way, or the snapshot holds a path that is never written.
    """
    wanted = _checked(manifest.files)
    present: Mapping[str, FileRef] = {}
    if in_place:
        folder = project_root(folder, Path.home())
        present = Scanner(folder, _NO_LIMITS, without).scan().files
    deleted = _new_since(manifest, wanted, present)
    way = _Way(folder, frozenset(deleted))
    actions = {path: None if present.get(path) == ref else way.action_for(ref) for path, ref in wanted.items()}
    changes = [Change(Action.DELETE, path) for path in deleted]
    changes += [Change(action, path, wanted[path]) for path, action in actions.items() if action]
    return RestorePlan(folder, in_place, tuple(changes), sum(action is None for action in actions.values()))


def _checked(files: Iterable[FileRef]) -> dict[str, FileRef]:
    """Return the files by path, once no path can lead anywhere else."""
    wanted = {ref.path: ref for ref in files}
    for path, ref in wanted.items():
        if reason := unsafe_path(path):
            raise RestoreBlocked(f"the snapshot names {path!r}, which {reason}; nothing was restored")
        if any(parent in wanted for parent in parents(path)):
            raise RestoreBlocked(f"the snapshot holds {path!r} below another file; nothing was restored")
        if ref.link is not None and sha256(os.fsencode(ref.link)).hexdigest() != ref.sha256:
            raise RestoreBlocked(f"the link {path!r} is not what its hash says; nothing was restored")
    return wanted


def _new_since(manifest: SnapshotFiles, wanted: Collection[str], present: Mapping[str, FileRef]) -> list[str]:
    """Return what came after the snapshot; what it left out at the time is not among it."""
    if MORE in manifest.skipped:
        return []
    return [
        path
        for path in present
        if path not in wanted
        and path not in manifest.skipped
        and not any(f"{parent}/" in manifest.skipped for parent in parents(path))
    ]


class _Way:
    """Knows what is in a folder where files shall go; `deleted` will be gone by then."""

    def __init__(self, folder: Path, deleted: Collection[str]) -> None:
        self._folder = folder
        self._tree = Tree(folder)
        self._deleted = deleted

    def action_for(self, ref: FileRef) -> Action | None:
        """Return what it takes to have this file, None where it is there.

        Raises:
            RestoreBlocked: something is in the way.
        """
        for parent in parents(ref.path):
            if not self._is_folder(parent):
                return Action.CREATE
        place = self._folder / ref.path
        if not os.path.lexists(place):
            return Action.CREATE
        if place.is_dir() and not place.is_symlink():
            self._require_emptied(place)
            return Action.CREATE
        return None if self._is_there(ref) else Action.CHANGE

    def _is_folder(self, parent: str) -> bool:
        """Tell whether a folder on the way is there already; False where it will be made."""
        place = self._folder / parent
        if place.is_dir() and not place.is_symlink():
            return True
        if os.path.lexists(place) and parent not in self._deleted:
            raise RestoreBlocked(f"{place} is no folder but a file or a link; move it away")
        return False

    def _require_emptied(self, place: Path) -> None:
        for folder, folders, names in os.walk(place):
            links = [name for name in folders if (Path(folder) / name).is_symlink()]
            for name in (*names, *links):
                path = (Path(folder) / name).relative_to(self._folder).as_posix()
                if path not in self._deleted:
                    raise RestoreBlocked(f"{place} is a folder that holds other files; move it away")

    def _is_there(self, ref: FileRef) -> bool:
        try:
            mode, data = self._tree.read(ref.path)
        except OSError:
            return False
        is_link = (self._folder / ref.path).is_symlink()
        return (mode, sha256(data).hexdigest(), is_link) == (ref.mode, ref.sha256, ref.link is not None)
