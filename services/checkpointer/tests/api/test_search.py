"""Searching over HTTP: what is found, how it is shown, and which queries are refused."""

import base64
import random

import httpx
import pytest
import pytest_asyncio

from shim_checkpointer.domain.query import MOST_TERMS
from shim_common.contracts.search import LONGEST_QUERY

from ..building import Json, append, at, calls, everything, new_entry, open_session, prompt, reply, result, says
from .test_routes import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROJECT = "/home/ana/found"
KEY = "sk-ant-api03-" + "".join(random.Random(5).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=80))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sid(shared_api: httpx.AsyncClient) -> str:
    made = await open_session(shared_api, "found", PROJECT)
    edit = calls("Edit", call="toolu_2", file_path="/home/ana/found/src/cart.py", old_string="unseen words")
    await append(
        shared_api,
        made,
        new_entry("m1", prompt(f"Why is discount_cents wrong? My key is {KEY}"), seconds=1),
        new_entry("m2", reply(says("The rounding is off."), calls("Bash", command="pytest -q tests/test_cart.py"))),
        new_entry("m3", result("AssertionError: expected 12", failed=True), seconds=3),
        new_entry("m4", reply(edit, message_id="msg_2", model="claude-opus-9"), seconds=4),
        new_entry("m5", result("unseen output", call="toolu_2"), seconds=5),
    )
    return made


async def search(api: httpx.AsyncClient, query: str, **filters: object) -> list[Json]:
    answer = await api.get("/v1/search", params={"query": query, "project": PROJECT, **filters})  # type: ignore[dict-item]
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


@pytest.mark.parametrize(
    ("query", "positions"),
    [
        ("discount_cents", [1]),
        ("discount_ce", [1]),
        ("cents", [1]),
        ("src/cart.py", [4]),
        ("cart.py -pytest", [4]),
        ('"rounding is off"', [2]),
        ('"rounding off"', []),
        ("assertionerror", [3]),
        ("unseen", []),
        ("Bash", []),
    ],
)
async def test_what_is_found(shared_api: httpx.AsyncClient, sid: str, query: str, positions: list[int]) -> None:
    assert [hit["position"] for hit in await search(shared_api, query)] == positions


async def test_a_hit_leads_to_the_entry(shared_api: httpx.AsyncClient, sid: str) -> None:
    (hit,) = await search(shared_api, "assertionerror", failed=True, tool="Bash")

    assert (hit["session_id"], hit["client_session_id"], hit["kind"]) == (sid, "found", "error")
    assert (hit["tools"], hit["failed"], hit["model"]) == (["Bash"], True, "claude-opus-9")
    ((start, end),) = hit["marks"]
    assert hit["snippet"][start:end] == "AssertionError"
    path, query = f"/v1/sessions/{sid}/entries", {"after": hit["position"] - 1, "limit": 1}
    (entry,) = (await shared_api.get(path, params=query)).json()["items"]
    assert entry == (await everything(shared_api, sid))[2]


async def test_only_what_is_redacted_can_be_found(shared_api: httpx.AsyncClient, sid: str) -> None:
    assert await search(shared_api, KEY) == []
    assert await search(shared_api, KEY.rpartition("-")[2][:12]) == []
    (hit,) = await search(shared_api, "discount")
    assert KEY[13:] not in hit["snippet"]


async def test_times_and_flags(shared_api: httpx.AsyncClient, sid: str) -> None:
    assert [hit["position"] for hit in await search(shared_api, "cart", since=at(1).isoformat())] == [4, 3]
    assert [hit["position"] for hit in await search(shared_api, "cart", until=at(1).isoformat())] == [2]
    assert await search(shared_api, "cart", failed=True, client="codex") == []
    assert len(await search(shared_api, "cart", model="opus")) == 3


async def test_pages(shared_api: httpx.AsyncClient) -> None:
    made = await open_session(shared_api, "pages", PROJECT)
    await append(shared_api, made, *(new_entry(f"m{n}", prompt("needle " * (n % 5 + 1))) for n in range(50)))
    seen: list[int] = []
    query: Json = {"query": "needle", "limit": 8}
    while True:
        page = (await shared_api.get("/v1/search", params=query)).json()
        seen += [hit["position"] for hit in page["items"]]
        if not page["next_cursor"]:
            break
        query["cursor"] = page["next_cursor"]

    assert len(seen) == 50
    assert set(seen) == set(range(1, 51))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "invalid"),
        (" ", "no_words"),
        ("\0", "invalid"),
        ("cart\0", "invalid"),
        ("x" * (LONGEST_QUERY + 1), "invalid"),
        ("a " * (MOST_TERMS + 1), "too_many_words"),
        ("& | ! <-> ( ) : *", "no_words"),
        ("-cart", "no_words"),
        ('""', "no_words"),
        ("🚀", "no_words"),
    ],
)
async def test_queries_that_are_none(shared_api: httpx.AsyncClient, query: str, code: str) -> None:
    assert is_problem(await shared_api.get("/v1/search", params={"query": query}), 422, code)


@pytest.mark.parametrize(
    "query",
    [
        "it's",
        "'; DROP TABLE passage; --x",
        "a:*b & !c | (d <-> e)",
        "\\ back\\slash",
        "%00x",
        "é" * LONGEST_QUERY,
        "\U0001d518\U0001d52b ²³ \u017f İ ß ǅ",
        "x" * LONGEST_QUERY,
        "ab " * MOST_TERMS,
        '"open',
        "\ud7ff\uffff z",
    ],
)
async def test_odd_queries_are_answered(shared_api: httpx.AsyncClient, query: str) -> None:
    answer = await shared_api.get("/v1/search", params={"query": query})

    assert answer.status_code == 200, answer.text


def cursor(text: str) -> str:
    return "cursor=" + base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "since=yesterday",
        "since=2026-11-20T12:00:00",
        "failed=perhaps",
        "tool=%00",
        "model=" + "x" * 129,
        "project=%00",
        "cursor=nonsense",
        cursor("5"),
        cursor('"text"'),
        cursor('"nan 2026-11-20T12:00:00+00:00 1 1"'),
        cursor('"inf 2026-11-20T12:00:00+00:00 1 1"'),
        cursor('"0.1 2026-11-20T12:00:00 1 1"'),
        cursor('"0.1 2026-11-20T12:00:00+00:00 -1 1"'),
        cursor('"0.1 2026-11-20T12:00:00+00:00 1 99999999999"'),
        cursor(f'"0.1 2026-11-20T12:00:00+00:00 {"9" * 40} 1"'),
    ],
)
async def test_filters_and_pages_that_are_none(shared_api: httpx.AsyncClient, query: str) -> None:
    answer = await shared_api.get(f"/v1/search?query=x&{query}")

    assert is_problem(answer, 422, "invalid") or is_problem(answer, 400, "bad_cursor"), answer.text


async def test_a_query_is_needed(shared_api: httpx.AsyncClient) -> None:
    assert is_problem(await shared_api.get("/v1/search"), 422, "invalid")
