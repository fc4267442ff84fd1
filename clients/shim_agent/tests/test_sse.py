from collections.abc import AsyncIterator

from shim_agent.sse import messages


async def lines(text: str) -> AsyncIterator[bytes]:
    for line in text.encode().splitlines(keepends=True):
        yield line


async def test_messages_comments_and_other_fields() -> None:
    text = ": keep-alive\n\nid: 1\nevent: a\ndata: one\n\ndata:two\r\ndata: three\r\n\r\nretry: 5\n\n"
    assert [one async for one in messages(lines(text))] == ["one", "two\nthree"]


async def test_a_message_that_was_cut_off_is_not_given() -> None:
    assert [one async for one in messages(lines("data: whole\n\ndata: half"))] == ["whole"]
