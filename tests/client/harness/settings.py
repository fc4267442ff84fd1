"""The client's user settings: which events call the sink, and how."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Json = dict[str, Any]

EVENTS = (
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "Stop",
    "StopFailure",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
    "Notification",
    "SessionEnd",
)
"""The events that work over HTTP in every supported client."""

POSTER = Path(__file__).with_name("post_hook.py")


def http_hook(url: str, *, timeout: float = 5, **more: Any) -> Json:
    """Return a hook that posts its payload to `url`."""
    return {"type": "http", "url": url, "timeout": timeout, **more}


def command_hook(command: str, *, timeout: float = 5) -> Json:
    """Return a hook that runs `command` in a shell, the payload on its standard input."""
    return {"type": "command", "command": command, "timeout": timeout}


def posting_command(url: str) -> str:
    """Return a shell command that posts a hook to `url`: SessionStart cannot be an HTTP hook."""
    # The interpreter's own binary: a version manager's shim in its place costs 50 ms.
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    return shlex.join([str(python), "-I", "-S", "-E", str(POSTER), url])


def hooks(entries: Iterable[tuple[str, Json]]) -> Json:
    """Return a settings object in which each event has its one hook."""
    return {"hooks": {event: [{"hooks": [hook]}] for event, hook in entries}}


def all_hooks(url: str, *, timeout: float = 5) -> Json:
    """Return settings that send every event to `url`."""
    start = ("SessionStart", command_hook(posting_command(url), timeout=timeout))
    return hooks([start, *((event, http_hook(url, timeout=timeout)) for event in EVENTS)])
