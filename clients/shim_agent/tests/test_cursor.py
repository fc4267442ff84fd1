from pathlib import Path

import pytest

from shim_agent.transcripts import cursor
from shim_agent.transcripts.cursor import FileCursor, RewrittenError, last_before

from .transcript import keys, line, noise, session_id

S = session_id()


def read_all(one: FileCursor) -> list[str]:
    found = []
    while stretch := one.read():
        found += [placed.entry.key for placed in stretch.entries]
    return found


def test_only_what_is_new_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    first, second = line(S), line(S)
    path.write_bytes(first)
    one = FileCursor(path)
    assert read_all(one) == keys(first)
    with path.open("ab") as file:
        file.write(second)
    stretch = one.read()
    assert stretch is not None
    assert (stretch.start, stretch.end) == (len(first), len(first) + len(second))
    assert [placed.entry.key for placed in stretch.entries] == keys(second)
    assert one.read() is None


def test_a_line_under_way_is_not_part_of_the_position(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    whole = line(S)
    path.write_bytes(whole + whole[:20])
    one = FileCursor(path)
    assert len(read_all(one)) == 1
    assert one.position == len(whole)


def test_a_large_file_is_read_in_bounded_pieces(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    content = b"".join(line(S, "x" * 50_000) for _ in range(60))
    path.write_bytes(content)
    one = FileCursor(path)
    ends = []
    while stretch := one.read():
        assert stretch.end - stretch.start <= cursor.CHUNK + 51_000
        ends.append(stretch.end)
    assert len(ends) == len(content) // cursor.CHUNK + 1
    assert ends[-1] == len(content)


@pytest.mark.parametrize("change", ["truncate", "replace", "overwrite"])
def test_a_rewrite_is_noticed(tmp_path: Path, change: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(line(S) + line(S))
    one = FileCursor(path)
    read_all(one)
    size = path.stat().st_size
    if change == "truncate":
        path.write_bytes(path.read_bytes()[:-1])
    elif change == "replace":
        other = tmp_path / "other"
        other.write_bytes(path.read_bytes())
        other.replace(path)
    else:
        with path.open("r+b") as file:
            file.seek(size - 100)
            file.write(line(S))
    with pytest.raises(RewrittenError):
        one.read()


def test_the_last_line_of_a_dead_client_needs_no_newline(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    whole, last = line(S), line(S).rstrip()
    path.write_bytes(whole + last)
    one = FileCursor(path)
    read_all(one)
    rest = one.finish()
    assert rest is not None
    assert (rest.start, rest.end) == (len(whole), len(whole) + len(last))
    assert one.finish() is None
    later = line(S)
    with path.open("ab") as file:
        file.write(later)
    assert read_all(one) == keys(later)


def test_a_torn_last_line_is_counted_and_read_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    whole = line(S)
    path.write_bytes(whole[:40])
    one = FileCursor(path)
    read_all(one)
    assert one.finish() is None
    assert one.counts["damaged_torn"] == 1
    with path.open("ab") as file:
        file.write(whole[40:])
    assert read_all(one) == keys(whole)


def test_counts_survive_the_end_of_a_client(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(line(S) + b"\x00garbage\n" + noise(S) + line(S).rstrip())
    one = FileCursor(path)
    read_all(one)
    one.finish()
    counts = one.counts
    assert (counts["lines"], counts["entries"], counts["damaged"], counts["skipped"]) == (4, 2, 1, 1)


def test_the_last_entry_before_a_position(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    first, second = line(S), line(S)
    path.write_bytes(first + second + noise(S) + line(S))
    found = last_before(path, len(first + second))
    assert found is not None
    assert (found.start, found.end) == (len(first), len(first + second))
    assert [placed.entry.key for placed in found.entries] == keys(second)
    path.write_bytes(noise(S) + line(S))
    assert last_before(path, len(noise(S))) is None


def test_a_position_inside_a_line_means_another_file(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(line(S))
    for position in (5, path.stat().st_size + 1):
        with pytest.raises(RewrittenError):
            last_before(path, position)
