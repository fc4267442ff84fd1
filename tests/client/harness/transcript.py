"""Read what a transcript holds of the conversation."""

import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def lines(path: Path) -> list[Json]:
    """Return the transcript's whole lines; a torn last one is left out."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1] if line]


def messages(path: Path) -> list[Json]:
    """Return the lines of the conversation."""
    return [line for line in lines(path) if line["type"] in ("user", "assistant")]


def contents(path: Path) -> list[str]:
    """Return what was said, in order: "prompt", "text", "tool_use", "tool_result"."""
    said: list[str] = []
    for line in messages(path):
        content = line["message"]["content"]
        said += ["prompt"] if isinstance(content, str) else [block["type"] for block in content]
    return said


def blocks(messages: list[Json]) -> list[Json]:
    """Return the content blocks of an API request's messages, in order."""
    found: list[Json] = []
    for message in messages:
        content = message["content"]
        found += [{"type": "text", "text": content}] if isinstance(content, str) else content
    return found


def texts(messages: list[Json]) -> list[str]:
    """Return the texts of an API request's messages, in order."""
    return [block["text"] for block in blocks(messages) if block["type"] == "text"]
