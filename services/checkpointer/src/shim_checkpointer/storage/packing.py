"""JSON at rest: compressed, with a checksum, so that damage is told from content."""

from typing import Any

import orjson
import zstandard

from shim_common.kernel.errors import Conflict


def pack(value: object, level: int = 1) -> bytes:
    """Compress a JSON value."""
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(orjson.dumps(value))


def unpack(body: bytes) -> Any:  # noqa: ANN401 - JSON
    """Return the value that `pack` compressed.

    Raises:
        Conflict: the stored bytes are damaged.
    """
    try:
        return orjson.loads(zstandard.ZstdDecompressor().decompress(body))
    except (zstandard.ZstdError, orjson.JSONDecodeError) as error:
        raise Conflict("a stored document is damaged and cannot be read", code="integrity") from error
