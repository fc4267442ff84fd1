"""What the scripted model answers: plain values, made by a test and played by the fake API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


@dataclass(frozen=True)
class Text:
    """A block of text."""

    text: str


@dataclass(frozen=True)
class ToolCall:
    """A request to run one of the client's tools."""

    name: str
    input: Mapping[str, Any]


class Point(StrEnum):
    """Where in an answer something goes wrong."""

    HEADERS = "headers"  # before a single byte
    START = "start"  # after message_start
    MIDDLE = "middle"  # in the middle of the last block
    END = "end"  # after the last block, before the message is closed


class Trouble(StrEnum):
    """What goes wrong there."""

    STALL = "stall"  # silence, until `FakeApi.release` or the client's departure
    CUT = "cut"  # the connection is closed
    ERROR = "error"  # an SSE `error` event, and the stream ends


@dataclass(frozen=True)
class Fault:
    """One trouble at one point of an answer."""

    trouble: Trouble
    at: Point
    error: str = "overloaded_error"


@dataclass(frozen=True)
class Reply:
    """An assistant message, possibly disturbed. `delay` is the thinking time in seconds before the first byte."""

    blocks: tuple[Text | ToolCall, ...]
    fault: Fault | None = None
    delay: float = 0.0


@dataclass(frozen=True)
class Refusal:
    """An HTTP error instead of an answer."""

    status: int
    kind: str = "api_error"
    message: str = "refused by the script"
    headers: Mapping[str, str] = field(default_factory=dict)


Step = Reply | Refusal


def says(text: str, *, fault: Fault | None = None, delay: float = 0.0) -> Reply:
    """Answer with text; this ends the turn."""
    return Reply((Text(text),), fault, delay)


def calls(*wanted: ToolCall, text: str = "", fault: Fault | None = None, delay: float = 0.0) -> Reply:
    """Answer with tool calls, after a sentence of text if one is given."""
    spoken = (Text(text),) if text else ()
    return Reply((*spoken, *wanted), fault, delay)


def bash(command: str, description: str = "Run a command") -> ToolCall:
    """Call the Bash tool."""
    return ToolCall("Bash", {"command": command, "description": description})
