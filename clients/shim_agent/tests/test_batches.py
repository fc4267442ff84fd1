from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shim_agent.transcripts.batches import MAX_BYTES, MAX_ENTRIES, Stretch, batches, halves
from shim_transcripts import Entry, PlacedEntry

AT = datetime(2026, 11, 20, tzinfo=UTC)


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    """Lines of one or several entries, with lines that hold none in between."""
    start = position = draw(st.integers(0, 10**9))
    placed = []
    sizes = st.sampled_from([1, 300, MAX_BYTES // 3, MAX_BYTES, 2 * MAX_BYTES])
    for size, count in draw(st.lists(st.tuples(sizes, st.integers(0, 3)), max_size=12)):
        placed += [
            PlacedEntry(Entry(f"{position}.{number}", "message", AT, {}), position, position + size)
            for number in range(count)
        ]
        position += size
    return Stretch(start, position + draw(st.integers(0, 50)), tuple(placed))


@given(stretches())
def test_batches_tile_the_stretch(stretch: Stretch) -> None:
    cut = list(batches(stretch))
    assert cut[0].start == stretch.start
    assert cut[-1].end == stretch.end
    assert all(one.end == other.start for one, other in pairwise(cut))
    assert tuple(entry for batch in cut for entry in batch.entries) == stretch.entries
    assert all(batch.start <= one.offset and one.end <= batch.end for batch in cut for one in batch.entries)


@given(stretches())
def test_batches_keep_the_limits_unless_one_line_is_beyond_them(stretch: Stretch) -> None:
    for batch in batches(stretch):
        lines = {(one.offset, one.end) for one in batch.entries}
        assert len(batch.entries) <= MAX_ENTRIES
        assert len(lines) <= 1 or sum(end - offset for offset, end in lines) <= MAX_BYTES


def test_many_small_entries_are_cut_by_number() -> None:
    placed = tuple(PlacedEntry(Entry(str(n), "message", AT, {}), n, n + 1) for n in range(1201))
    assert [len(batch.entries) for batch in batches(Stretch(0, 1201, placed))] == [500, 500, 201]


@given(stretches())
def test_halves_lose_nothing_and_get_smaller(stretch: Stretch) -> None:
    parts = halves(stretch)
    if parts is None:
        assert len({one.end for one in stretch.entries}) < 2
        return
    first, second = parts
    assert (first.start, first.end, second.end) == (stretch.start, second.start, stretch.end)
    assert first.entries + second.entries == stretch.entries
    assert first.entries
    assert second.entries
