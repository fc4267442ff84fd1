"""The port's adapter against a real server: every way in which a call can end."""

import asyncio
import socket
import time

import pytest
from aiohttp import web

from shim_common.contracts.sessions import NewSession
from shim_mcp.api import CONNECT_SECONDS, ApiError, HttpApi

from .fake_shim import KEY, FakeShim, Handler, hangs_up, speaks_html, speaks_of_else

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLACK = 1.0
"""Seconds a busy machine may add."""


async def failing(url: str, key: str = KEY) -> ApiError:
    async with HttpApi(url, lambda: key) as api:
        with pytest.raises(ApiError) as caught:
            await api.session("client-1")
    assert key not in str(caught.value)
    return caught.value


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    error = await failing(url)
    assert (error.code, error.status) == ("down", None)
    assert str(error) == "SHIM is not running; start it with `shim up`."


async def test_a_listener_that_accepts_nobody_is_given_up_soon() -> None:
    """A full backlog: the system neither accepts nor refuses."""
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        url = f"http://127.0.0.1:{busy.getsockname()[1]}"
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.settimeout(0)
                one.connect_ex(busy.getsockname())
            started = time.monotonic()
            error = await failing(url)
        finally:
            for one in waiting:
                one.close()
    assert error.code == "down"
    assert time.monotonic() - started < CONNECT_SECONDS + SLACK


async def test_a_problem_becomes_its_detail(shim: FakeShim) -> None:
    error = await failing(shim.url)
    assert (error.code, error.status) == ("session_unknown", 404)
    assert error.detail.startswith("there is no session client-1")


async def test_faults_of_the_request_are_named(shim: FakeShim) -> None:
    async with HttpApi(shim.url, lambda: KEY) as api:
        malformed = NewSession.model_construct(client="x" * 65, client_session_id="1", project="/p")
        with pytest.raises(ApiError, match="the request is not valid; see errors; /client: ") as caught:
            await api.open_session(malformed)
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("mood", "code", "words"),
    [
        (speaks_html, "unreadable", "SHIM answered HTTP 502 without saying why; see `shim logs`."),
        (speaks_of_else, "unreadable", "different versions"),
        (hangs_up, "broken_off", "The connection to SHIM broke off"),
    ],
)
async def test_other_answers_say_what_to_do(shim: FakeShim, mood: Handler, code: str, words: str) -> None:
    shim.mood = mood
    error = await failing(shim.url)
    assert error.code == code
    assert words in str(error)


async def test_what_does_not_speak_http_is_unreadable_not_a_crash() -> None:
    async def babble(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        error = await failing(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert error.code == "broken_off"


async def test_the_key_goes_to_shim_and_nowhere_else(shim: FakeShim, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither through a proxy of the environment nor along a redirect."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    shim.add_session("client-1")
    elsewhere: list[str] = []

    async def redirects(request: web.Request) -> web.StreamResponse:
        elsewhere.append(request.path)
        raise web.HTTPTemporaryRedirect(f"{shim.url}/elsewhere")

    async with HttpApi(shim.url, lambda: KEY) as api:
        assert (await api.session("client-1")).client_session_id == "client-1"
    shim.mood = redirects
    assert (await failing(shim.url)).code == "unreadable"
    assert elsewhere == ["/v1/sessions/client-1"]


async def test_a_restart_between_two_calls_is_not_noticed(shim: FakeShim) -> None:
    """No connection is kept, so none can be a dead one."""
    shim.add_session("client-1")
    peers: list[object] = []

    async def answers(request: web.Request) -> web.StreamResponse:
        peers.append(request.transport.get_extra_info("peername") if request.transport else None)
        session = shim.find("client-1").session
        return web.Response(text=session.model_dump_json(), content_type="application/json")

    shim.mood = answers
    async with HttpApi(shim.url, lambda: KEY) as api:
        for _ in range(3):
            await api.session("client-1")
    assert len(set(peers)) == 3
