import fcntl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shim_agent.processes.identity import find_recorded
from shim_agent.processes.threads import locks_folder, read_threads
from shim_agent.transcripts.codex_sources import origin_of, source_of, sources_below
from shim_agent.transcripts.touched import touched_files

THREAD = "01a1fadb-c6db-7521-8e74-babf74f2c5ad"
OTHER = "01a1fadc-7ac8-7a00-86f4-a1c4c2c3581f"
ROLLOUTS = Path(__file__).parents[3] / "libs" / "shim_transcripts" / "tests" / "codex"
NAME = f"2026/11/20/rollout-2026-11-20T21-27-49-{THREAD}.jsonl"

HOLD = """
import fcntl, sys
files = [open(path, "w") for path in sys.argv[1:]]
for file in files: fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who holds a lock")


@pytest.fixture
def held(tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that hold locks; ended afterwards."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def hold(config_dir: Path, *threads: str) -> subprocess.Popen[str]:
    folder = locks_folder(config_dir)
    folder.mkdir(exist_ok=True)
    paths = [str(folder / f"{thread}.lock") for thread in threads]
    command = [sys.executable, "-c", HOLD, *paths]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@linux
def test_the_holder_of_a_threads_lock_works_on_it(tmp_path: Path, held: list[subprocess.Popen[str]]) -> None:
    process = hold(tmp_path, THREAD)
    held.append(process)
    (record,) = read_threads(tmp_path)
    assert (record.pid, record.session) == (process.pid, THREAD)
    found = find_recorded(record)
    assert found is not None
    assert found.pid == process.pid

    process.kill()
    process.communicate()
    assert read_threads(tmp_path) == []  # the lock's file is left behind
    assert (locks_folder(tmp_path) / f"{THREAD}.lock").exists()
    assert find_recorded(record) is None


@linux
def test_a_process_with_several_threads_is_nobodys(tmp_path: Path, held: list[subprocess.Popen[str]]) -> None:
    held.append(hold(tmp_path, THREAD, OTHER))
    assert read_threads(tmp_path) == []


@linux
def test_other_files_and_unheld_locks_say_nothing(tmp_path: Path) -> None:
    folder = locks_folder(tmp_path)
    assert read_threads(tmp_path) == []
    folder.mkdir()
    (folder / f"{THREAD}.lock").touch()
    with (folder / ".coordination.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert read_threads(tmp_path) == []


def test_rollouts_are_sources_by_their_place(tmp_path: Path) -> None:
    path = tmp_path / "sessions" / NAME
    path.parent.mkdir(parents=True)
    path.write_bytes((ROLLOUTS / "killed.jsonl").read_bytes())
    (source,) = sources_below(tmp_path)
    assert (source.session, source.name, source.path) == (THREAD, NAME, path)
    assert source_of(tmp_path, tmp_path / path.name) is None
    origin = origin_of(path)
    assert origin is not None
    assert (origin.project, origin.client_version) == ("/home/ana/project", "0.169.0")
    path.write_bytes(b'{"type":"user","cwd":"/p"}\n')
    assert origin_of(path) is None


def test_all_files_of_a_patch_are_touched() -> None:
    arguments = {"file_path": "a", "files": ["a", "b"], "patch": ""}
    call = {"type": "tool_use", "id": "c", "name": "Edit", "input": arguments}
    assert list(touched_files({"message": {"content": [call]}})) == ["a", "b"]
