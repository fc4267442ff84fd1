"""The conversation behind a sequence of line bodies: messages, tool calls, API calls, compactions.

Takes the bodies of entries, or the `data` of records, in file order; `position` is always an index into that
sequence. Lines of other types, and fields of a wrong type, are passed over. A compaction cuts nothing off:
what it dropped from the model's view is still part of the conversation.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from shim_transcripts.jsontext import JsonObject
from shim_transcripts.records import moment

SYNTHETIC_MODEL = "<synthetic>"
"""Model of messages that the client wrote by itself, such as an error text: no API call is behind them."""

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """A prompt, or the model's answer with the blocks of all its lines, at the position of its first line."""

    position: int
    role: str
    id: str | None
    at: datetime | None
    model: str | None
    is_sidechain: bool
    is_meta: bool
    blocks: tuple[JsonObject, ...]

    @property
    def text(self) -> str:
        """The text blocks, joined by newlines."""
        texts = (block.get("text") for block in self.blocks if block.get("type") == "text")
        return "\n".join(text for text in texts if isinstance(text, str))


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What came back from a tool. `content` is as the model saw it: text, or blocks."""

    position: int
    at: datetime | None
    is_error: bool
    content: object


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool_use block and its result; without one the call was in flight when the transcript ended."""

    id: str
    name: str
    input: JsonObject = field(repr=False)
    position: int
    at: datetime | None
    is_sidechain: bool
    result: ToolResult | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A request to the model, with its usage in tokens."""

    position: int
    at: datetime | None
    model: str | None
    client_version: str | None
    is_sidechain: bool
    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int

    @property
    def context_tokens(self) -> int:
        """Tokens that the model read: all three inputs."""
        return self.input_tokens + self.cache_creation_input_tokens + self.cache_read_input_tokens


@dataclass(frozen=True, slots=True)
class Compaction:
    """Where the client replaced the conversation by a summary.

    `trigger` is `auto` or `manual`; `pre_tokens` is the context before. None where the line does not say.
    """

    position: int
    at: datetime | None
    trigger: str | None
    pre_tokens: int | None
    client_version: str | None


def messages(bodies: Sequence[Body]) -> list[Message]:
    """Return prompts and answers in order, the lines of one answer merged by message id.

    A client writes one line per content block, and results of the first calls may stand between them.
    """
    found: list[Message] = []
    index_of: dict[str, int] = {}
    for position, body in _unique_lines(bodies):
        if body.get("type") not in ("user", "assistant"):
            continue
        message = _message(position, body)
        if message.id is not None and message.id in index_of:
            index = index_of[message.id]
            found[index] = replace(found[index], blocks=found[index].blocks + message.blocks)
            continue
        if message.id is not None:
            index_of[message.id] = len(found)
        found.append(message)
    return found


def tool_calls(bodies: Sequence[Body]) -> list[ToolCall]:
    """Return every tool_use in order, each with its result where there is one. A call is known by its id."""
    results: dict[str, ToolResult] = {}
    calls: dict[str, ToolCall] = {}
    for position, body in enumerate(bodies):
        for block in content_blocks(body):
            match block:
                case {"type": "tool_use", "id": str(call_id)}:
                    calls.setdefault(call_id, _tool_call(position, body, block))
                case {"type": "tool_result", "tool_use_id": str(call_id)}:
                    results.setdefault(call_id, _tool_result(position, body, block))
    return [replace(call, result=results.get(call_id)) for call_id, call in calls.items()]


def dangling_calls(bodies: Sequence[Body]) -> list[ToolCall]:
    """Return the calls that no result came back for."""
    return [call for call in tool_calls(bodies) if call.result is None]


def api_calls(bodies: Sequence[Body]) -> list[ApiCall]:
    """Return the requests to the model in order.

    Every line of an answer repeats its usage; the one with most output tokens is the final one. A request is
    known by message id and request id.
    """
    calls: dict[object, ApiCall] = {}
    for position, body in enumerate(bodies):
        call = _api_call(position, body)
        if call is None:
            continue
        message_id = _message_object(body).get("id")
        identity = (str(message_id), str(body.get("requestId"))) if message_id else position
        first = calls.setdefault(identity, call)
        if call.output_tokens > first.output_tokens:
            calls[identity] = replace(call, position=first.position, at=first.at)
    return list(calls.values())


def compactions(bodies: Sequence[Body]) -> list[Compaction]:
    """Return the compactions in order, automatic and manual."""
    return [
        _compaction(position, body)
        for position, body in enumerate(bodies)
        if body.get("type") == "system" and body.get("subtype") == "compact_boundary"
    ]


def content_blocks(body: Body) -> list[JsonObject]:
    """Return the content blocks of a user or assistant line; a plain string counts as one text block."""
    content = _message_object(body).get("content")
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    if isinstance(content, list):
        return [block for block in content if isinstance(block, dict)]
    return []


def _unique_lines(bodies: Iterable[Body]) -> Iterator[tuple[int, Body]]:
    seen: set[str] = set()
    for position, body in enumerate(bodies):
        uuid = body.get("uuid")
        if isinstance(uuid, str):
            if uuid in seen:
                continue
            seen.add(uuid)
        yield position, body


def _message(position: int, body: Body) -> Message:
    inner = _message_object(body)
    return Message(
        position=position,
        role=str(body["type"]),
        id=_string(inner, "id"),
        at=moment(body.get("timestamp")),
        model=_string(inner, "model"),
        is_sidechain=body.get("isSidechain") is True,
        is_meta=body.get("isMeta") is True,
        blocks=tuple(content_blocks(body)),
    )


def _tool_call(position: int, body: Body, block: JsonObject) -> ToolCall:
    arguments = block.get("input")
    return ToolCall(
        id=block["id"],
        name=_string(block, "name") or "",
        input=arguments if isinstance(arguments, dict) else {},
        position=position,
        at=moment(body.get("timestamp")),
        is_sidechain=body.get("isSidechain") is True,
    )


def _tool_result(position: int, body: Body, block: JsonObject) -> ToolResult:
    return ToolResult(
        position=position,
        at=moment(body.get("timestamp")),
        is_error=block.get("is_error") is True,
        content=block.get("content"),
    )


def _api_call(position: int, body: Body) -> ApiCall | None:
    message = _message_object(body)
    usage = message.get("usage")
    model = _string(message, "model")
    if body.get("type") != "assistant" or not isinstance(usage, dict) or model == SYNTHETIC_MODEL:
        return None
    return ApiCall(
        position=position,
        at=moment(body.get("timestamp")),
        model=model,
        client_version=_string(body, "version"),
        is_sidechain=body.get("isSidechain") is True,
        input_tokens=_count(usage, "input_tokens") or 0,
        cache_creation_input_tokens=_count(usage, "cache_creation_input_tokens") or 0,
        cache_read_input_tokens=_count(usage, "cache_read_input_tokens") or 0,
        output_tokens=_count(usage, "output_tokens") or 0,
    )


def _compaction(position: int, body: Body) -> Compaction:
    metadata = body.get("compactMetadata")
    details = metadata if isinstance(metadata, dict) else {}
    return Compaction(
        position=position,
        at=moment(body.get("timestamp")),
        trigger=_string(details, "trigger"),
        pre_tokens=_count(details, "preTokens"),
        client_version=_string(body, "version"),
    )


def _message_object(body: Body) -> JsonObject:
    message = body.get("message")
    return message if isinstance(message, dict) else {}


def _string(mapping: Body, name: str) -> str | None:
    value = mapping.get(name)
    return value if isinstance(value, str) and value else None


def _count(mapping: Body, name: str) -> int | None:
    value = mapping.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
