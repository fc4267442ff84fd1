"""The Messages API's wire format: a scripted reply as one JSON message, or as the events of its stream. Pure."""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from .script import Point, Reply, Text, ToolCall

Json = dict[str, Any]

BYTES_PER_TOKEN = 4
"""The usual rough figure for English and code; the scripted model counts its tokens with it."""


@dataclass(frozen=True)
class Event:
    """One server-sent event. `point` marks the place where a fault at that point strikes, right after it."""

    data: Json
    point: Point | None = None

    @property
    def type(self) -> str:
        """The event's type, for example `content_block_delta`."""
        return str(self.data["type"])

    def encode(self) -> bytes:
        """Return the event as the bytes of the stream."""
        return f"event: {self.type}\ndata: {json.dumps(self.data)}\n\n".encode()


@dataclass(frozen=True)
class Usage:
    """Tokens of one request: read from the cache, newly cached, and written as the answer."""

    cached: int
    fresh: int
    output: int

    @classmethod
    def of(cls, body: Json, before: int, reply: Reply) -> "Usage":
        """Estimate from sizes. `before` is the size in tokens of the same session's last request."""
        total = len(json.dumps(body)) // BYTES_PER_TOKEN
        cached = min(before, total)
        return cls(cached, total - cached, 1 + _size(reply) // BYTES_PER_TOKEN)

    @property
    def context(self) -> int:
        """Tokens of the request in all."""
        return self.cached + self.fresh

    def as_json(self, output: int) -> Json:
        """Return the usage object with `output` tokens written so far."""
        return {
            "input_tokens": 3,
            "cache_creation_input_tokens": self.fresh,
            "cache_read_input_tokens": self.cached,
            "output_tokens": output,
        }


@dataclass(frozen=True)
class Message:
    """An assistant message with its ids settled: `token` makes the ids of the message and of its calls."""

    token: str
    model: str
    reply: Reply
    usage: Usage

    @property
    def id(self) -> str:
        """The message's id."""
        return f"msg_01{_digest(self.token)}"

    @property
    def request_id(self) -> str:
        """The id of the request it answers."""
        return request_id(self.token)

    @property
    def stop_reason(self) -> str:
        """`tool_use` if the reply calls a tool."""
        return "tool_use" if any(isinstance(block, ToolCall) for block in self.reply.blocks) else "end_turn"

    def as_json(self) -> Json:
        """Return the whole message, as it is sent when no stream was asked for."""
        return {
            **self._head(),
            "content": [self._block(i) for i in range(len(self.reply.blocks))],
            "stop_reason": self.stop_reason,
            "usage": self.usage.as_json(self.usage.output),
        }

    def as_events(self) -> list[Event]:
        """Return the message as the events of a stream, each block in two halves."""
        start = {**self._head(), "content": [], "stop_reason": None, "usage": self.usage.as_json(1)}
        events = [Event({"type": "message_start", "message": start}, Point.START)]
        last = len(self.reply.blocks) - 1
        for index in range(last + 1):
            events += self._block_events(index, is_last=index == last)
        delta = {"stop_reason": self.stop_reason, "stop_sequence": None}
        usage = {"output_tokens": self.usage.output}
        return [
            *events,
            Event({"type": "message_delta", "delta": delta, "usage": usage}),
            Event({"type": "message_stop"}),
        ]

    def _head(self) -> Json:
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "stop_sequence": None,
        }

    def _block(self, index: int) -> Json:
        block = self.reply.blocks[index]
        if isinstance(block, Text):
            return {"type": "text", "text": block.text}
        identity = f"toolu_01{_digest(f'{self.token}:{index}')}"
        return {"type": "tool_use", "id": identity, "name": block.name, "input": dict(block.input)}

    def _block_events(self, index: int, *, is_last: bool) -> list[Event]:
        block = self._block(index)
        if block["type"] == "text":
            empty, content, kind, key = {**block, "text": ""}, block["text"], "text_delta", "text"
        else:
            empty, content = {**block, "input": {}}, json.dumps(block["input"])
            kind, key = "input_json_delta", "partial_json"
        half = len(content) // 2
        first, second = (
            {"type": "content_block_delta", "index": index, "delta": {"type": kind, key: part}}
            for part in (content[:half], content[half:])
        )
        return [
            Event({"type": "content_block_start", "index": index, "content_block": empty}),
            Event(first, Point.MIDDLE if is_last else None),
            Event(second),
            Event({"type": "content_block_stop", "index": index}, Point.END if is_last else None),
        ]


def error_body(kind: str, message: str) -> Json:
    """Return the API's error envelope."""
    return {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": request_id(message),
    }


def request_id(token: str) -> str:
    """Return a request's id, made from `token`."""
    return f"req_01{_digest(token)}"


def _size(reply: Reply) -> int:
    return sum(len(block.text if isinstance(block, Text) else json.dumps(dict(block.input))) for block in reply.blocks)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:22]
