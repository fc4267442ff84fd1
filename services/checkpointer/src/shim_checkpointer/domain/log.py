"""The log of a session: entries in order, chained by hash, sealed into blocks when they are old.

An entry's hash is SHA-256 over its canonical JSON; the head after it is SHA-256 over the head before and
that hash. One head therefore vouches for every entry up to it, and a checkpoint is a position and a head.
"""

import hashlib
import lzma
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
import zstandard

from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import EntryKind
from shim_common.kernel.errors import Conflict

GENESIS = bytes(32)
"""The head of an empty log."""

BLOCK_BYTES = 1024 * 1024
"""Uncompressed size of a sealed block: on real sessions 3 % larger than one stream, and unpacked in milliseconds."""
_SMALLEST_DICTIONARY = 4096
"""Bytes that xz takes at least; the 64 MiB of its level 9 would only cost 45 ms to set up."""
_TAIL_LEVEL = 3
_DECOMPRESS_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True)
class LogEntry:
    """One entry, redacted already."""

    key: str
    kind: EntryKind
    at: datetime
    body: JsonObject


def encode(entry: LogEntry) -> bytes:
    """Return the entry's canonical JSON: sorted keys, no spaces, UTF-8."""
    document = {"at": entry.at.isoformat(), "body": entry.body, "key": entry.key, "kind": entry.kind.value}
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


def decode(payload: bytes) -> LogEntry:
    """Return the entry in its canonical JSON."""
    document = orjson.loads(payload)
    return LogEntry(
        key=document["key"],
        kind=EntryKind(document["kind"]),
        at=datetime.fromisoformat(document["at"]),
        body=document["body"],
    )


def key_digest(key: str) -> bytes:
    """Return 16 bytes that stand for a key in an index."""
    return hashlib.sha256(key.encode()).digest()[:16]


def entry_hash(payload: bytes) -> bytes:
    """Return the hash of an entry's canonical JSON."""
    return hashlib.sha256(payload).digest()


def advance(head: bytes, payloads: Iterable[bytes]) -> bytes:
    """Return the head after these entries."""
    for payload in payloads:
        head = hashlib.sha256(head + entry_hash(payload)).digest()
    return head


def heads(payloads: Iterable[bytes], head: bytes = GENESIS) -> Iterator[bytes]:
    """Yield the head after each entry."""
    for payload in payloads:
        head = advance(head, [payload])
        yield head


def pack(payload: bytes) -> bytes:
    """Compress one fresh entry, with a checksum of 4 bytes: without it, damage inside would be read as content."""
    return zstandard.ZstdCompressor(level=_TAIL_LEVEL, write_checksum=True).compress(payload)


def unpack(body: bytes) -> bytes:
    """Return the entry that `pack` compressed.

    Raises:
        Conflict: the stored bytes are damaged.
    """
    try:
        return zstandard.ZstdDecompressor().decompress(body, max_output_size=_DECOMPRESS_LIMIT)
    except zstandard.ZstdError as error:
        raise Conflict("a stored entry is damaged and cannot be read", code="integrity") from error


def seal(payloads: Sequence[bytes]) -> bytes:
    """Compress many old entries together; canonical JSON holds no newline, so newlines part them."""
    content = b"\n".join(payloads)
    dictionary = max(_SMALLEST_DICTIONARY, len(content))
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": dictionary}]
    return lzma.compress(content, format=lzma.FORMAT_XZ, filters=filters)


def first_block(payloads: list[bytes], *, whole: bool) -> list[bytes]:
    """Return the first of these entries that fill a block; what does not fill one only where all is to be sealed."""
    size = 0
    for count, payload in enumerate(payloads, start=1):
        size += len(payload)
        if size >= BLOCK_BYTES:
            return payloads[:count]
    return payloads if whole else []


def unseal(block: bytes) -> list[bytes]:
    """Return the entries of a sealed block.

    Raises:
        Conflict: the stored bytes are damaged.
    """
    try:
        return lzma.decompress(block, format=lzma.FORMAT_XZ).split(b"\n")
    except lzma.LZMAError as error:
        raise Conflict("a sealed block is damaged and cannot be read", code="integrity") from error
