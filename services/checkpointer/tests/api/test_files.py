"""Contents and snapshots: byte for byte, each content once, nothing outside the project."""

import asyncio
import hashlib
import os
from typing import Any

import httpx
import pytest

from ..building import Json, append, at, new_entry, open_session, prompt
from .test_routes import is_problem

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def put(api: httpx.AsyncClient, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    assert (await api.put(f"/v1/blobs/{sha256}", content=content)).status_code == 204
    return sha256


def ref(path: str, sha256: str, **about: Any) -> Json:
    return {"path": path, "sha256": sha256, "size": 3, "mode": 0o644, **about}


async def take(api: httpx.AsyncClient, sid: str, files: list[Json], **about: Any) -> httpx.Response:
    return await api.post(f"/v1/sessions/{sid}/snapshots", json={"taken_at": at().isoformat(), "files": files, **about})


async def paths(api: httpx.AsyncClient, snapshot: str) -> list[str]:
    return [file["path"] for file in (await api.get(f"/v1/snapshots/{snapshot}")).json()["files"]]


@pytest.mark.parametrize("content", [b"", b"\0\xff\n", "grün\r\n".encode(), os.urandom(3_000_000)], ids=len)
async def test_a_content_comes_back_byte_for_byte(shared_api: httpx.AsyncClient, content: bytes) -> None:
    answer = await shared_api.get(f"/v1/blobs/{await put(shared_api, content)}")

    assert answer.content == content
    assert answer.headers["content-type"] == "application/octet-stream"


async def test_what_is_missing(shared_api: httpx.AsyncClient) -> None:
    here, absent = await put(shared_api, b"here"), hashlib.sha256(b"absent").hexdigest()

    answer = await shared_api.post("/v1/blobs/missing", json={"hashes": [absent, here, absent]})

    assert set(answer.json()["hashes"]) == {absent}
    assert (await shared_api.post("/v1/blobs/missing", json={"hashes": []})).json() == {"hashes": []}


async def test_a_content_with_another_hash_is_refused(shared_api: httpx.AsyncClient) -> None:
    sha256 = hashlib.sha256(b"promised").hexdigest()

    assert is_problem(await shared_api.put(f"/v1/blobs/{sha256}", content=b"other"), 422, "hash_differs")
    assert (await shared_api.get(f"/v1/blobs/{sha256}")).status_code == 404


async def test_the_same_content_at_the_same_time(shared_api: httpx.AsyncClient) -> None:
    content = os.urandom(1000)

    hashes = await asyncio.gather(*(put(shared_api, content) for _ in range(8)))

    assert (await shared_api.get(f"/v1/blobs/{hashes[0]}")).content == content


async def test_a_snapshot_tells_all_that_it_was_told(shared_api: httpx.AsyncClient) -> None:
    sid = await open_session(shared_api, "whole")
    await append(shared_api, sid, new_entry("m1", prompt("hi")))
    one, two, diff = [await put(shared_api, word) for word in (b"one", b"two", b"the diff")]
    files = [ref("src/b.py", two, mode=0o755), ref("a.py", one), ref("link", "0" * 64, link="src/b.py")]
    told = {
        "active": ["a.py"],
        "modified": ["src/b.py"],
        "staged": [],
        "diff": diff,
        "commit": "c0ffee",
        "skipped": {".env": "secret"},
    }

    made = (await take(shared_api, sid, files, **told)).json()

    assert made == {
        "id": made["id"],
        "session_id": sid,
        "position": 1,
        "taken_at": "2026-11-20T12:00:00Z",
        "files": 3,
        "bytes": 9,
    }
    whole = (await shared_api.get(f"/v1/snapshots/{made['id']}")).json()
    assert whole["snapshot"] == made
    assert whole["files"] == sorted(({"link": None, **file} for file in files), key=lambda file: file["path"])
    assert {name: whole[name] for name in told} == told


async def test_changes_stand_on_a_base(shared_api: httpx.AsyncClient) -> None:
    sid = await open_session(shared_api, "changes")
    one, two = await put(shared_api, b"one"), await put(shared_api, b"two")
    first = (await take(shared_api, sid, [ref("a", one), ref("b", one)])).json()["id"]

    second = (await take(shared_api, sid, [ref("b", two), ref("c", two)], base=first, removed=["a"])).json()
    third = (await take(shared_api, sid, [ref("a", two)], base=second["id"], removed=["unknown"])).json()

    assert second["files"] == 2
    assert await paths(shared_api, first) == ["a", "b"]
    assert await paths(shared_api, second["id"]) == ["b", "c"]
    files = (await shared_api.get(f"/v1/snapshots/{third['id']}")).json()["files"]
    assert [(file["path"], file["sha256"]) for file in files] == [("a", two), ("b", two), ("c", two)]
    newest_first = (await shared_api.get(f"/v1/sessions/{sid}/snapshots")).json()
    assert {one["id"] for one in newest_first} == {first, second["id"], third["id"]}


async def test_every_accepted_change_can_be_read(shared_api: httpx.AsyncClient) -> None:
    sid, one = await open_session(shared_api, "long chain"), await put(shared_api, b"one")
    base = (await take(shared_api, sid, [])).json()["id"]
    accepted = 0
    while (answer := await take(shared_api, sid, [ref(f"f{accepted:03}", one)], base=base)).status_code == 201:
        base, accepted = answer.json()["id"], accepted + 1
        assert len(await paths(shared_api, base)) == accepted
        assert accepted < 1000

    assert is_problem(answer, 422, "base_too_far")
    assert accepted >= 40
    assert (await take(shared_api, sid, [ref("a", one)])).status_code == 201


async def test_a_base_of_another_session_would_go_with_it(shared_api: httpx.AsyncClient) -> None:
    one, two = await open_session(shared_api, "base 1"), await open_session(shared_api, "base 2")
    base = (await take(shared_api, one, [])).json()["id"]

    assert is_problem(await take(shared_api, two, [], base=base), 422, "base_of_other_session")


@pytest.mark.parametrize("base", ["snp_" + "0" * 32, "nonsense", "", "snp_" + "x" * 32])
async def test_a_base_that_is_not_there(shared_api: httpx.AsyncClient, base: str) -> None:
    sid = await open_session(shared_api, "no base")
    answer = await take(shared_api, sid, [], base=base)

    assert answer.status_code == 201 if base == "" else is_problem(answer, 404, "snapshot_not_found")


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "../secret",
        "a/../../b",
        "a/./b",
        "./a",
        "a//b",
        "a/",
        "..",
        ".",
        "a\\..\\b",
        "C:\\x",
        "a/..",
        "/",
    ],
)
async def test_paths_outside_the_project(shared_api: httpx.AsyncClient, path: str) -> None:
    sid, one = await open_session(shared_api, "paths"), await put(shared_api, b"one")

    answer = await take(shared_api, sid, [ref("fine", one), ref(path, one)])

    assert is_problem(answer, 422, "path_outside_project")
    assert (await shared_api.get(f"/v1/sessions/{sid}/snapshots")).json() == []


@pytest.mark.parametrize("path", ["a b", "…/ü", ".gitignore", "..a", "a..", "...", "-x", "$(x)", "a\nb"])
async def test_odd_paths_inside_it(shared_api: httpx.AsyncClient, path: str) -> None:
    sid, one = await open_session(shared_api, "odd paths"), await put(shared_api, b"one")

    made = (await take(shared_api, sid, [ref(path, one)])).json()

    assert await paths(shared_api, made["id"]) == [path]


async def test_contents_come_before_the_snapshot(shared_api: httpx.AsyncClient) -> None:
    sid, absent = await open_session(shared_api, "absent"), hashlib.sha256(b"never sent").hexdigest()

    for answer in (await take(shared_api, sid, [ref("a", absent)]), await take(shared_api, sid, [], diff=absent)):
        assert is_problem(answer, 422, "blobs_missing")
        assert absent in answer.json()["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"sha256": "X" * 64},
        {"mode": 0o1000},
        {"mode": -1},
        {"size": -1},
        {"size": 2**63},
        {"path": ""},
        {"owner": "ana"},
    ],
    ids=str,
)
async def test_files_that_are_none(shared_api: httpx.AsyncClient, change: Json) -> None:
    sid = await open_session(shared_api, "none")

    assert is_problem(await take(shared_api, sid, [ref("a", "0" * 64) | change]), 422, "invalid")


async def test_a_checkpoint_names_the_files_as_they_were(shared_api: httpx.AsyncClient) -> None:
    sid = await open_session(shared_api, "checkpointed")
    before = (await take(shared_api, sid, [])).json()["id"]
    made = (await shared_api.post(f"/v1/sessions/{sid}/checkpoints", json={})).json()

    (listed,) = (await shared_api.get(f"/v1/sessions/{sid}/checkpoints")).json()["items"]

    assert made["snapshot_id"] is None
    assert listed["snapshot_id"] == before
