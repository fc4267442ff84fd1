import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web

from shim_agent.gateway import Gateway
from shim_agent.retry import until_done, wait_after
from shim_common.contracts.sessions import NewSession
from shim_common.kernel.errors import NotFound, RateLimited, TooLarge, Unauthorized, Unavailable, Unprocessable

from .conftest import FAST
from .fake_api import FakeApi

NEW = NewSession(client="claude-code", client_session_id="a/b ?#", project="/p")


async def test_ids_are_quoted(api: FakeApi, gateway: Gateway) -> None:
    opened, is_new = await gateway.open_session(NEW)
    assert is_new
    assert await gateway.open_session(NEW) == (opened, False)
    assert (await gateway.session("a/b ?#")).id == opened.id
    with pytest.raises(NotFound):
        await gateway.session("../sessions")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (401, Unauthorized),
        (404, NotFound),
        (413, TooLarge),
        (418, Unprocessable),
        (429, RateLimited),
        (502, Unavailable),
    ],
)
async def test_refusals_become_shims_own_errors(
    api: FakeApi, gateway: Gateway, status: int, error: type[Exception]
) -> None:
    async def refuse(_request: web.Request) -> int:
        return status

    api.before = refuse
    with pytest.raises(error):
        await gateway.session("s")


async def test_a_dropped_connection_and_a_closed_port_are_the_same(api: FakeApi, gateway: Gateway, home: Path) -> None:
    async def drop(_request: web.Request) -> str:
        return "drop"

    api.before = drop
    with pytest.raises(Unavailable):
        await gateway.session("s")
    async with Gateway("http://127.0.0.1:9", home / "keys" / "agent.key") as nobody:
        with pytest.raises(Unavailable):
            await nobody.session("s")


async def test_the_key_is_read_anew_for_each_call(api: FakeApi, gateway: Gateway, home: Path) -> None:
    key = home / "keys" / "agent.key"
    right = key.read_text()
    key.unlink()
    with pytest.raises(Unavailable, match=r"agent\.key"):
        await gateway.open_session(NEW)
    key.write_text("shim_old")
    with pytest.raises(Unauthorized):
        await gateway.open_session(NEW)
    key.write_text(right)
    assert await gateway.open_session(NEW)


async def test_an_answer_of_another_version_is_no_crash(gateway: Gateway, api: FakeApi) -> None:
    api.blobs["snp"] = b"{}"
    with pytest.raises(NotFound):
        await gateway.snapshot_files("snp")


async def test_events_go_on_after_the_last_one_heard(api: FakeApi, gateway: Gateway) -> None:
    session = api.open("s", "/p")
    await api.emit("checkpoint.created", session)
    await api.emit("checkpoint.created", session)
    await api.emit("session.ended", session)
    await api.emit("session.interrupted", session)
    opened = asyncio.Event()
    heard = []
    stream = gateway.events(["checkpoint.created", "session.interrupted"], "evt_1", opened.set)
    async with aclosing(stream) as events:
        async for event in events:
            heard.append(event.id)
            if len(heard) == 2:
                break
    assert opened.is_set()
    assert heard == ["evt_2", "evt_4"]


async def test_trying_again_lasts_until_shim_is_back(api: FakeApi, gateway: Gateway) -> None:
    verdicts = iter([503, "drop", 429, 507, 401, None])

    async def sometimes(_request: web.Request) -> str | int | None:
        return next(verdicts)

    api.before = sometimes
    session, _ = await until_done("open", lambda: gateway.open_session(NEW), FAST)
    assert session.client_session_id == NEW.client_session_id
    assert next(verdicts, "used up") == "used up"


async def test_a_long_line_of_the_stream_is_no_trouble(api: FakeApi, gateway: Gateway) -> None:
    await api.emit("checkpoint.created", api.open("s", "/p"))
    await api.emit("checkpoint.created", api.sessions["s"], note="x" * 500_000)
    async with aclosing(gateway.events(["checkpoint.created"], "evt_1", lambda: None)) as events:
        assert len((await anext(events)).data["note"]) == 500_000


def test_nobody_is_made_to_wait_for_hours() -> None:
    assert wait_after(Unavailable("away", retry_after=3600), 0.1) == 60
    assert wait_after(Unavailable("away", retry_after=2), 0.1) == 2
    assert wait_after(Unavailable("away"), 0.1) == 0.1
