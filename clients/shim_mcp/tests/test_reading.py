"""Resources and the prompt, over streamable HTTP and in both revisions."""

import json

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, INVALID_PARAMS, TextContent, TextResourceContents

from shim_common.contracts.sessions import Session

from .clients import over_http
from .fake_shim import INGEST_KEY, KEY, FakeShim, speaks_html

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def read(client: Client, uri: str) -> dict[str, object]:
    (content,) = (await client.read_resource(uri)).contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    return dict(json.loads(content.text))


async def fill(client: Client, session: Session, entries: int) -> None:
    """Make so many entries; a call that a busy machine refused for taking too long is made again."""
    for number in range(1, entries + 1):
        told = {"session_id": session.id, "phase": f"step {number}"}
        while (await client.call_tool("shim_auto_checkpoint", told)).is_error:
            continue


async def test_lists_what_is_recent(shim: FakeShim, address: str, revision: str) -> None:
    empty = shim.add_session("client-1")
    session = shim.add_session("client-2")
    async with over_http(address, revision, KEY) as client:
        await fill(client, session, 2)
        listed = (await client.list_resources()).resources
        assert [resource.uri for resource in listed] == [
            f"shim://sessions/{session.id}/transcript",
            f"shim://checkpoints/{shim.stored[session.id].checkpoints[0].id}",
            f"shim://sessions/{empty.id}/transcript",
        ]
        assert listed[0].title == "/home/ana/webshop: claude-code, 2026-11-20 17:45, active"
        for resource in listed:
            assert await read(client, resource.uri)
        templates = (await client.list_resource_templates()).resource_templates
        assert [template.uri_template for template in templates] == [
            "shim://sessions/{session_id}/transcript{?after}",
            "shim://checkpoints/{checkpoint_id}",
        ]


async def test_a_long_transcript_is_read_in_pages(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    async with over_http(address, revision, KEY) as client:
        await fill(client, session, 70)
        newest = await read(client, "shim://sessions/client-1/transcript")
        assert [entry["position"] for entry in newest["entries"]] == list(range(21, 71))  # type: ignore[attr-defined]
        assert "later" not in newest
        earlier = await read(client, str(newest["earlier"]))
        assert [entry["position"] for entry in earlier["entries"]] == list(range(1, 51))  # type: ignore[attr-defined]
        assert "earlier" not in earlier
        rest = await read(client, str(earlier["later"]))
        assert [entry["position"] for entry in rest["entries"]] == list(range(51, 71))  # type: ignore[attr-defined]


async def test_a_long_body_is_cut_and_says_so(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    decisions = ["é" * 1000] * 3
    async with over_http(address, revision, KEY) as client:
        await client.call_tool("shim_auto_checkpoint", {"session_id": session.id, "decisions": decisions})
        (entry,) = (await read(client, f"shim://sessions/{session.id}/transcript"))["entries"]  # type: ignore[misc]
    assert entry["body"]["cut"] is True  # type: ignore[has-type]
    assert len(entry["body"]["head"]) == 2000  # type: ignore[has-type]
    assert entry["body"]["characters"] > 3000  # type: ignore[has-type]


async def test_a_checkpoint_holds_the_task(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    async with over_http(address, revision, KEY) as client:
        await fill(client, session, 2)
        held = await read(client, f"shim://checkpoints/{shim.stored[session.id].checkpoints[0].id}")
    assert held["verified"] is True
    assert held["task"] == {"phase": "step 2", "blockers": [], "todos": []}


@pytest.mark.parametrize("uri", ["shim://sessions/nobody/transcript", "shim://checkpoints/ckp_none"])
async def test_what_is_not_there_is_not_found(shim: FakeShim, address: str, revision: str, uri: str) -> None:
    async with over_http(address, revision, KEY) as client:
        with pytest.raises(MCPError, match="there is no") as caught:
            await client.read_resource(uri)
    assert caught.value.code == INVALID_PARAMS


async def test_other_failures_say_what_to_do(shim: FakeShim, address: str, revision: str) -> None:
    async with over_http(address, revision, INGEST_KEY) as client:
        with pytest.raises(MCPError, match="needs a key with the scope 'read'") as caught:
            await client.read_resource("shim://sessions/nobody/transcript")
        assert caught.value.code == INTERNAL_ERROR
        with pytest.raises(MCPError, match="needs a key with the scope 'read'"):
            await client.get_prompt("resume", {"project": "/home/ana/webshop"})
        assert (await client.list_resources()).resources == []


async def test_listing_survives_a_broken_shim(shim: FakeShim, address: str, revision: str) -> None:
    async with over_http(address, revision, KEY) as client:
        shim.mood = speaks_html
        assert (await client.list_resources()).resources == []
        assert len((await client.list_tools()).tools) == 7


async def test_the_prompt_gives_the_bundle(shim: FakeShim, address: str, revision: str) -> None:
    session = shim.add_session("client-1")
    shim.interrupted[session.id] = "Open task: prices."
    async with over_http(address, revision, KEY) as client:
        (prompt,) = (await client.list_prompts()).prompts
        assert prompt.name == "resume"
        assert [argument.name for argument in prompt.arguments or []] == ["session_id", "project"]
        for arguments in ({"session_id": "client-1"}, {"project": "/home/ana/webshop"}):
            assert await written(client, arguments) == "Open task: prices."
        nothing = await written(client, {"project": "/home/ana/other"})
        assert nothing == "There is nothing to resume: no session in this project was interrupted"
        with pytest.raises(MCPError, match="Give project"):
            await client.get_prompt("resume", {})


async def written(client: Client, arguments: dict[str, str]) -> str:
    (message,) = (await client.get_prompt("resume", arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    return message.content.text
