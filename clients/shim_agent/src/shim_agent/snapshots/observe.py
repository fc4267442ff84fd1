"""Looks at a project: its files, and how they differ from the commit they started from."""

from dataclasses import dataclass
from datetime import datetime

from shim_agent.snapshots.git import Git, GitError, WorkTreeState
from shim_agent.snapshots.rules import left_out, storable_path
from shim_agent.snapshots.scan import Scanner
from shim_common.contracts.sessions import FileRef

_MAX_CHANGED = 10_000
"""Paths that the contract takes as modified or staged."""


@dataclass(frozen=True, slots=True)
class Observed:
    """A project at a moment. `diff` is None where there is nothing to compare with, or too much."""

    taken_at: datetime
    files: dict[str, FileRef]
    skipped: dict[str, str]
    work_tree: WorkTreeState
    diff: bytes | None


def observe(scanner: Scanner, taken_at: datetime) -> Observed:
    """Scan the project and ask git about it. Reads every changed file: call it in a thread.

    Raises:
        TreeRefused: there are more files or bytes than the limits allow.
    """
    scan = scanner.scan()
    skipped = dict(scan.skipped)
    work_tree, diff = WorkTreeState(), None
    try:
        git = Git(scanner.root)
        work_tree = _without_left_out(git.state())
        if work_tree.commit is not None:
            diff = git.diff(work_tree.commit, work_tree.modified)
            if diff is None:
                skipped["(diff)"] = "is too large"
    except GitError:
        pass  # no work tree: the files alone say everything
    return Observed(taken_at, scan.files, skipped, work_tree, diff)


def _without_left_out(state: WorkTreeState) -> WorkTreeState:
    return WorkTreeState(state.commit, _kept(state.modified), _kept(state.staged))


def _kept(paths: list[str]) -> list[str]:
    kept = [path for path in paths if not left_out(path, committed=True) and not storable_path(path)]
    return kept[:_MAX_CHANGED]
