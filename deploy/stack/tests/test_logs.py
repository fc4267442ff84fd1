from itertools import islice
from pathlib import Path

import pytest

from shim_stack.logs import KEPT, LogFile, follow, log_files


@pytest.fixture
def log(tmp_path: Path) -> LogFile:
    return LogFile(tmp_path / "service.log")


def test_appending_goes_on_after_a_rotation(log: LogFile) -> None:
    with log.open() as writer:
        writer.write(b"one\ntwo\n")
        log.rotate(largest=4)
        assert log.path.read_text() == ""
        writer.write(b"three\n")
    assert log.path.read_text() == "three\n"
    assert log.tail(2) == ["two", "three"]


def test_logs_stay_small(log: LogFile) -> None:
    for _ in range(10):
        with log.open() as writer:
            writer.write(b"x" * 5_000 + b"\n")
        log.rotate(largest=100)
    files = list(log.path.parent.iterdir())
    assert len(files) == KEPT + 1
    assert sum(file.stat().st_size for file in files) <= (KEPT + 1) * 100
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_a_small_or_missing_log_is_left_alone(log: LogFile) -> None:
    log.rotate()
    assert not log.path.exists()
    log.path.write_text("short\n")
    log.rotate()
    assert log.path.read_text() == "short\n"


def test_the_end_of_a_log(log: LogFile) -> None:
    log.path.write_bytes(b"one\n\xfftwo\nthree")
    assert log.tail(2) == ["\ufffdtwo", "three"]
    assert log.tail(0) == []


def test_following_gives_whole_lines_also_across_a_rotation(log: LogFile) -> None:
    log.path.write_text("before\n")
    lines = follow([log])
    with log.open() as writer:
        writer.write(b"one\nhal")
        assert next(lines) == (log, "one")
        writer.write(b"f\ntwo\n")
        assert [line for _, line in islice(lines, 2)] == ["half", "two"]
        log.rotate(largest=1)
        writer.write(b"three\n")
        assert next(lines) == (log, "three")


def test_older_files_are_no_logs_of_their_own(log: LogFile) -> None:
    log.path.write_text("something\n")
    log.rotate(largest=1)
    assert [one.name for one in log_files(log.path.parent)] == ["service"]
