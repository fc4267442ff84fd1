"""A full disk: refused with a code, nothing half-written, and well again as soon as there is room."""

import errno
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shim_cli.api import Api
from shim_cli.errors import ApiProblem, NotRunning
from shim_common.contracts.sessions import AppendEntries, EntryKind, NewCheckpoint, NewEntry, NewSession
from shim_common.kernel.clock import SystemClock

from .rig.listener import listening
from .rig.player import torn_checkpoints
from .rig.stack import Stack, free_port, stack_folder
from .rig.waiting import eventually

pytestmark = pytest.mark.stack

DISK = "200m"
"""Room for a cluster with its log, and little else."""
SID = "disk-full"
ENTRY_BYTES = 400_000
REFUSALS = 3


@pytest.fixture
def small() -> Iterator[Stack]:
    """A stack on a disk of its own, a small one."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    with stack_folder("disk/home") as (_, home):
        home.parent.mkdir(mode=0o711)
        options = ["-t", "tmpfs", "-o", f"size={DISK},mode=711", "tmpfs", str(home.parent)]
        mounted = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
        home.mkdir(mode=0o711)
        stack = Stack(home, free_port())
        stack.up()
        yield stack


def fill(disk: Path) -> Path:
    """Leave no byte free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1024 * 1024, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC, error
    return filler


@dataclass
class Writer:
    """Appends one entry after the other, and keeps a journal of what was acknowledged."""

    api: Api
    number: int = 0
    acknowledged: list[str] = field(default_factory=list)
    refusals: dict[str, ApiProblem | NotRunning] = field(default_factory=dict)

    def append(self) -> None:
        """Append the next entry, one that does not compress."""
        self.number += 1
        body = {"text": os.urandom(ENTRY_BYTES // 2).hex()}
        entry = NewEntry(key=f"entry-{self.number}", kind=EntryKind.NOTE, at=SystemClock().now(), body=body)
        try:
            self.api.append(SID, AppendEntries(entries=[entry]))
            self.acknowledged.append(entry.key)
        except (ApiProblem, NotRunning) as refused:
            self.refusals[entry.key] = refused

    @property
    def unsure(self) -> set[str]:
        """Entries of which nobody said that they are not stored."""
        return {key for key, error in self.refusals.items() if not _is_full(error)}

    def is_refused(self) -> bool:
        """Append, and tell whether that was refused often enough by now."""
        self.append()
        return len(self.refusals) >= REFUSALS

    def is_taken(self) -> bool:
        """Append, and tell whether that was acknowledged."""
        before = len(self.acknowledged)
        self.append()
        return len(self.acknowledged) > before


def test_a_full_disk_refuses_loses_nothing_and_recovers(small: Stack) -> None:
    with small.api() as api, listening(small.url, small.key()) as listener:
        api.open_session(NewSession(client="test", client_session_id=SID, project="/shim-test/disk-full"))
        writer = Writer(api)
        assert writer.is_taken()
        filler = fill(small.home.parent)
        eventually(writer.is_refused, "appends are refused on a full disk")
        problems = [refusal.problem for refusal in writer.refusals.values() if isinstance(refusal, ApiProblem)]
        assert {(problem.status, problem.code) for problem in problems} <= {(507, "storage_full"), (503, "unavailable")}
        assert problems
        assert all("Free disk space" in problem.detail for problem in problems if problem.status == 507)

        filler.unlink()
        eventually(writer.is_taken, "an append is taken again once there is room")
        stored = [entry.key for entry in api.entries(SID)]
        assert [key for key in stored if key not in writer.unsure] == writer.acknowledged
        assert len(set(stored)) == len(stored)
        assert api.integrity(SID).verified
        checkpoint = api.make_checkpoint(SID, NewCheckpoint())
        assert not torn_checkpoints(api, SID)
        eventually(lambda: listener.has_heard_checkpoint(checkpoint.id), "events are published again")
    assert {process.state for process in small.record.processes} == {"ready"}


def _is_full(error: ApiProblem | NotRunning) -> bool:
    return isinstance(error, ApiProblem) and error.problem.status == 507
