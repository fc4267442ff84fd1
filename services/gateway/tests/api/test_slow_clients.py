"""Check 9: requests that do not come to an end are cut off."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shim_common.kernel.clock import ManualClock
from shim_common.web.protocol import GuardedProtocol
from shim_gateway.settings import Settings

from .echo import Echo
from .harness import PATIENCE, Gateway, serving, serving_gateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEAD = b"POST /mcp/echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: Bearer %s\r\n"


class Hasty(GuardedProtocol):
    """The protocol with less patience."""

    header_seconds = 0.3
    body_seconds = 0.3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(settings: Settings, clock: ManualClock, shared_echo: Echo) -> AsyncIterator[Gateway]:
    """A gateway that does not wait long, with an echo behind it."""
    async with serving(shared_echo, settings.mcp_url), serving_gateway(settings, clock, Hasty) as gateway:
        yield gateway


async def is_cut_off(gateway: Gateway, beginning: bytes, drop: bytes) -> bool:
    """Whether the gateway hangs up on a client that goes on with single drops, without having answered."""
    reader, writer = await gateway.connect()
    writer.write(beginning)
    answer = asyncio.create_task(reader.read())
    try:
        async with asyncio.timeout(PATIENCE):
            while not answer.done():
                writer.write(drop)
                await asyncio.sleep(0.02)
        return await answer == b""
    except ConnectionError:
        return True
    finally:
        writer.close()


@pytest.mark.parametrize("beginning", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"], ids=["nothing", "half"])
async def test_09_headers_that_do_not_come_are_not_waited_for(gateway: Gateway, beginning: bytes) -> None:
    assert await is_cut_off(gateway, beginning, b"")


async def test_09_headers_that_come_drop_by_drop_are_cut_off(gateway: Gateway) -> None:
    assert await is_cut_off(gateway, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"x-filler: x\r\n")


async def test_09_headers_without_end_are_cut_off(gateway: Gateway) -> None:
    assert await is_cut_off(
        gateway, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n", b"x-filler: %s\r\n" % (b"x" * 8000)
    )


async def test_09_headers_of_a_later_request_are_cut_off_too(gateway: Gateway) -> None:
    reader, writer = await gateway.connect()
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b"200 OK" in await reader.readuntil(b"}")
    writer.write(b"GET /healthz HTTP/1.1\r\n")
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()


async def test_09_a_body_that_does_not_come_is_not_waited_for(gateway: Gateway, echo: Echo) -> None:
    head = HEAD % gateway.key("admin").encode() + b"Content-Length: 100\r\n\r\n{"
    assert await is_cut_off(gateway, head, b"")
    async with asyncio.timeout(PATIENCE):
        await echo.left.wait()


async def test_09_trailers_that_come_drop_by_drop_are_cut_off(gateway: Gateway) -> None:
    head = HEAD % gateway.key("admin").encode() + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    assert await is_cut_off(gateway, head, b"x-trailer: x\r\n")


async def test_09_a_body_that_comes_in_time_is_taken_however_long_it_takes(gateway: Gateway) -> None:
    reader, writer = await gateway.connect()
    writer.write(HEAD % gateway.key("admin").encode() + b"Connection: close\r\nContent-Length: 10\r\n\r\n")
    for _ in range(10):
        await asyncio.sleep(Hasty.body_seconds / 8)
        writer.write(b" ")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_09_an_answer_may_take_its_time(gateway: Gateway, echo: Echo) -> None:
    async with gateway.client(gateway.key("admin")) as client, client.stream("POST", "/mcp/stream", json={}) as answer:
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"data: first\n\n"
        await asyncio.sleep(Hasty.body_seconds * 2)
        echo.proceed.set()
        assert await anext(pieces) == b"data: last\n\n"


async def test_09_trailers_are_no_headers(gateway: Gateway) -> None:
    """They come after the headers were checked, and would be taken for some of them."""
    raw = (
        HEAD % gateway.key("admin").encode() + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\nhost: evil.example\r\nx-shim-token: forged\r\nx-trailer: x\r\n\r\n"
    )
    answer = await gateway.answer_to(raw)
    assert answer.startswith(b"HTTP/1.1 200 ")
    reached = json.loads(answer[answer.index(b'{"') : answer.rindex(b"}") + 1])["headers"]
    assert not [value for _, value in reached if value in ("evil.example", "forged", "x")]
