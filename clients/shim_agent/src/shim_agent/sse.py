"""Server-sent events, as far as SHIM uses them (WHATWG HTML, section 9.2.6)."""

from collections.abc import AsyncIterable, AsyncIterator


async def messages(lines: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Yield the data of each message that is complete; comments and other fields are skipped.

    SHIM's messages carry their id inside the data, so the `id:` field is not needed.
    """
    data: list[str] = []
    async for raw in lines:
        line = raw.decode(errors="replace").rstrip("\r\n")
        if not line:
            if data:
                yield "\n".join(data)
            data = []
        elif line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
