import tracemalloc
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shim_transcripts import Damage, Line, LineSplitter, Reason


def cut_at(content: bytes, cuts: list[int]) -> list[bytes]:
    bounds = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    return [content[begin:end] for begin, end in pairwise(bounds)]


def test_complete_lines_come_out_with_their_place_and_the_torn_tail_waits() -> None:
    splitter = LineSplitter()

    assert splitter.feed(b"one\ntw") == [Line(0, 4, b"one\n")]
    assert splitter.position == 4
    assert splitter.rest() == Line(4, 6, b"tw")
    assert splitter.feed(b"o\n") == [Line(4, 8, b"two\n")]
    assert splitter.rest() is None


def test_offsets_count_from_the_position_that_reading_began_at() -> None:
    assert LineSplitter(position=100).feed(b"a\n") == [Line(100, 102, b"a\n")]


def test_a_line_over_the_limit_is_damage_and_the_next_is_read() -> None:
    splitter = LineSplitter(max_line=5)

    assert splitter.feed(b"1234\n12345\n1\n") == [
        Line(0, 5, b"1234\n"),
        Damage(5, 11, Reason.TOO_LONG),
        Line(11, 13, b"1\n"),
    ]


def test_an_endless_line_is_not_held_in_memory() -> None:
    splitter = LineSplitter(max_line=1_000)
    chunk = b"x" * 10_000
    tracemalloc.start()
    for _ in range(1_000):
        assert splitter.feed(chunk) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 100_000
    assert splitter.rest() == Damage(0, 10_000_000, Reason.TOO_LONG)
    assert splitter.feed(b"\n") == [Damage(0, 10_000_001, Reason.TOO_LONG)]
    assert splitter.position == 10_000_001


@given(content=st.binary(max_size=200), cuts=st.lists(st.integers(min_value=0), max_size=10))
def test_any_chunking_gives_the_same_lines_and_loses_no_byte(content: bytes, cuts: list[int]) -> None:
    splitter = LineSplitter()
    lines = [line for chunk in cut_at(content, cuts) for line in splitter.feed(chunk)]

    assert lines == LineSplitter().feed(content)
    raws = [line.raw for line in lines if isinstance(line, Line)]
    rest = splitter.rest()
    assert b"".join(raws) + (rest.raw if isinstance(rest, Line) else b"") == content
