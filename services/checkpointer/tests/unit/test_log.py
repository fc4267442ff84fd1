import hashlib
from collections.abc import Callable
from datetime import timedelta, timezone
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shim_checkpointer.domain import log
from shim_common.kernel.errors import Conflict

from ..building import at, entry, prompt
from .strategies import entries, logs

Stored = TypeVar("Stored")
PAYLOADS = [log.encode(entry(prompt(f"number {number}"), key=f"k{number}")) for number in range(200)]


@given(entries)
def test_an_entry_comes_back(made: log.LogEntry) -> None:
    payload = log.encode(made)

    assert log.decode(payload) == made
    assert log.decode(log.unpack(log.pack(payload))) == made
    assert b"\n" not in payload


@given(entries)
def test_the_order_of_fields_does_not_matter(made: log.LogEntry) -> None:
    turned = log.LogEntry(made.key, made.kind, made.at, dict(reversed(made.body.items())))

    assert log.encode(turned) == log.encode(made)


@given(logs)
def test_a_block_comes_back(made: list[log.LogEntry]) -> None:
    payloads = [log.encode(one) for one in made] or [b"{}"]

    assert log.unseal(log.seal(payloads)) == payloads


@given(logs, st.integers(0, 12))
def test_a_head_is_that_of_its_parts(made: list[log.LogEntry], cut: int) -> None:
    payloads = [log.encode(one) for one in made]

    assert log.advance(log.advance(log.GENESIS, payloads[:cut]), payloads[cut:]) == log.advance(log.GENESIS, payloads)
    assert list(log.heads(payloads))[-1:] == [log.advance(log.GENESIS, payloads)][: len(payloads)]


def test_the_chain_is_what_the_docs_say() -> None:
    one, two = PAYLOADS[:2]
    first = hashlib.sha256(bytes(32) + hashlib.sha256(one).digest()).digest()

    assert log.advance(log.GENESIS, [one, two]) == hashlib.sha256(first + hashlib.sha256(two).digest()).digest()


@pytest.mark.parametrize(
    "other",
    [PAYLOADS[:-1], [*PAYLOADS, PAYLOADS[0]], [PAYLOADS[1], PAYLOADS[0], *PAYLOADS[2:]], [b"{}", *PAYLOADS[1:]], []],
    ids=["one less", "one more", "two swapped", "one changed", "none"],
)
def test_another_log_has_another_head(other: list[bytes]) -> None:
    assert log.advance(log.GENESIS, other) != log.advance(log.GENESIS, PAYLOADS)


def test_a_moment_is_stored_in_the_zone_it_came_in() -> None:
    east = entry({}).at.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert log.decode(log.encode(log.LogEntry("k", entry({}).kind, east, {}))).at == at()


def test_no_flipped_bit_of_an_entry_goes_unnoticed() -> None:
    packed = log.pack(PAYLOADS[0])
    for position in range(len(packed)):
        for bit in range(8):
            damaged = bytearray(packed)
            damaged[position] ^= 1 << bit
            _refused_or_same(log.unpack, bytes(damaged), PAYLOADS[0])


def test_no_flipped_byte_of_a_block_goes_unnoticed() -> None:
    block = log.seal(PAYLOADS)
    for position in range(len(block)):
        damaged = bytearray(block)
        damaged[position] ^= 0x55
        _refused_or_same(log.unseal, bytes(damaged), PAYLOADS)


def test_what_was_cut_off_is_noticed() -> None:
    packed, block = log.pack(PAYLOADS[0]), log.seal(PAYLOADS)
    for length in range(len(packed)):
        with pytest.raises(Conflict):
            log.unpack(packed[:length])
    for length in range(0, len(block), 7):
        with pytest.raises(Conflict):
            log.unseal(block[:length])


@given(st.binary(max_size=64))
def test_foreign_bytes_are_refused(raw: bytes) -> None:
    for read in (log.unpack, log.unseal):
        with pytest.raises(Conflict) as refused:
            read(raw)
        assert refused.value.problem_code == "integrity"


def _refused_or_same(read: Callable[[bytes], Stored], raw: bytes, expected: Stored) -> None:
    """A few bits carry nothing (reserved ones): reading may go well then, but never differ."""
    try:
        assert read(raw) == expected
    except Conflict as refused:
        assert refused.problem_code == "integrity"


def test_a_growing_log_is_sealed_in_whole_blocks() -> None:
    big = [b"x" * 300_000 for _ in range(8)]

    assert log.first_block(big, whole=False) == big[:4]
    assert not log.first_block(big[:3], whole=False)
    assert log.first_block(big[:3], whole=True) == big[:3]
    assert not log.first_block([], whole=True)
