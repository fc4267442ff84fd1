"""A stand-in for the Responses API on loopback that plays a script to Codex and shows what it was asked."""

import json
from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from .log import Log
from .script import Reply, Text, ToolCall, says

Json = dict[str, Any]
TOKENS_A_REQUEST = 1000
LARGEST_BODY = 64 * 2**20


class CodexApi:
    """The server: `async with CodexApi([...]) as api`, then name `api.url` as the provider's `base_url`."""

    def __init__(self, script: Iterable[Reply] = ()) -> None:
        """Play `script`; past its end every turn is ended with "Done."."""
        self.asked: Log[Json] = Log("requests to the Responses API")
        self.url = ""
        self._script = iter(script)
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_BODY)
        app.router.add_post("/v1/responses", self._respond)
        self._runner = web.AppRunner(app, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner:
            await self._runner.cleanup()

    def play(self, script: Iterable[Reply]) -> None:
        """Go on with `script` instead of what is left of the present one."""
        self._script = iter(script)

    async def _respond(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(await request.json())
        number = len(self.asked)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for event in _events(number, next(self._script, says("Done."))):
            await response.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
        await response.write_eof()
        return response


def words(request: Json) -> list[str]:
    """Return the texts of a request's input, the outputs of tools included, in order."""
    found: list[str] = []
    for item in request["input"]:
        content = item.get("content") or item.get("output") or []
        found += [content] if isinstance(content, str) else [part["text"] for part in content if "text" in part]
    return found


def _events(number: int, reply: Reply) -> list[Json]:
    items = [_item(f"{number}_{index}", block) for index, block in enumerate(reply.blocks)]
    usage = {
        "input_tokens": TOKENS_A_REQUEST * number,
        "input_tokens_details": {"cached_tokens": 200},
        "output_tokens": 25,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": TOKENS_A_REQUEST * number + 25,
    }
    return [
        {"type": "response.created", "response": {"id": f"resp_{number}"}},
        *({"type": "response.output_item.done", "output_index": n, "item": item} for n, item in enumerate(items)),
        {"type": "response.completed", "response": {"id": f"resp_{number}", "usage": usage}},
    ]


def _item(token: str, block: Text | ToolCall) -> Json:
    if isinstance(block, Text):
        content = [{"type": "output_text", "text": block.text, "annotations": []}]
        return {"type": "message", "role": "assistant", "id": f"msg_{token}", "content": content}
    name, arguments = block.name, json.dumps(dict(block.input))
    return {
        "type": "function_call",
        "id": f"fc_{token}",
        "call_id": f"call_{token}",
        "name": name,
        "arguments": arguments,
    }
