"""Ends a stack of the tests and removes all of it, also when the tests themselves were killed.

`python undertaker.py FOLDER HOME` waits until its standard input ends, which it does with the process that started it.
Only processes that run on HOME are touched: they are in its run record, or carry SHIM_HOME in their environment.
"""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from shim_common.embedded.cluster_place import SYSTEM_ROOT
from shim_common.embedded.identity import ProcessIdentity, StopStep
from shim_common.embedded.run_folder import is_temporary
from shim_stack.record import read_record

AT_ONCE = (StopStep(signal.SIGKILL, 10.0),)


def bury(folder: Path, home: Path) -> None:
    """Kill what runs on `home`, and remove `folder` and what was put elsewhere because of it."""
    elsewhere: set[Path] = set()
    while found := list(dict.fromkeys(_running_on(home))):
        elsewhere |= set(_folders_elsewhere(home))
        for identity in found:
            identity.stop(AT_ONCE)
    for path in elsewhere | set(_folders_elsewhere(home)):
        shutil.rmtree(path, ignore_errors=True)
    _unmount_below(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _running_on(home: Path) -> Iterator[ProcessIdentity]:
    """The runner first: what it keeps is not started again then."""
    record = read_record(home / "run.json")
    if record is not None and record.runner is not None and record.is_live:
        yield record.runner.identity
    yield from (process.identity for process in (record.survivors if record else ()))
    for process in psutil.process_iter():
        try:
            if process.environ().get("SHIM_HOME") == str(home):
                yield ProcessIdentity.of(process.pid)
        except (psutil.Error, ProcessLookupError):
            continue


def _folders_elsewhere(home: Path) -> Iterator[Path]:
    record = read_record(home / "run.json")
    if record is None:
        return
    if record.run_folder is not None and is_temporary(record.run_folder, home):
        yield record.run_folder
    data = record.data_folders.get("postgres")
    if data is not None and data.is_relative_to(SYSTEM_ROOT):
        yield data.parent


def _unmount_below(folder: Path) -> None:
    for partition in psutil.disk_partitions(all=True):
        if Path(partition.mountpoint).is_relative_to(folder):
            subprocess.run(["umount", "--lazy", partition.mountpoint], check=False)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the tests; the end of the tests ends this
    sys.stdin.buffer.read()
    bury(Path(sys.argv[1]), Path(sys.argv[2]))
