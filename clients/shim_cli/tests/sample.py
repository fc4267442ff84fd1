"""A small session as Claude Code writes it, with its hooks."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SESSION = "4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"
CWD = "/home/ana/webshop"
RECORDER_AHEAD = 1000.0
"""Seconds on the recorder's clock when the session began."""

SECRET = "ghp_A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def line(kind: str, number: int, seconds: float, content: Any, **more: Any) -> dict[str, Any]:
    return {
        "parentUuid": None,
        "type": kind,
        "uuid": f"00000000-0000-4000-8000-{number:012}",
        "timestamp": at(seconds),
        "sessionId": SESSION,
        "cwd": CWD,
        "version": "2.1.329",
        "message": {"role": kind, "content": content},
        **more,
    }


def call(number: int, command: str) -> list[dict[str, Any]]:
    return [{"type": "tool_use", "id": f"toolu_{number}", "name": "Bash", "input": {"command": command}}]


def result(number: int, output: str) -> list[dict[str, Any]]:
    return [{"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": output}]


LINES = [
    line("user", 1, 0, "Make the cart round prices."),
    line("assistant", 2, 2, call(1, "pytest -q")),
    line("user", 3, 5, result(1, f"1 failed, token={SECRET}"), toolUseResult={"stdout": "1 failed"}),
    {"type": "progress", "data": {"type": "bash_progress"}, "timestamp": at(6), "sessionId": SESSION},
    line("assistant", 4, 8, call(2, "sed -i s/a/b/ cart.py")),
    line("user", 5, 9, result(2, "")),
    line("assistant", 6, 11, call(3, "pytest -q")),
    line("user", 7, 15, result(3, "3 passed")),
    line("assistant", 8, 17, [{"type": "text", "text": "Prices are rounded to whole cents."}]),
]
"""Eight entries and a line of noise; results are the entries 3, 5 and 7."""


def hook(event: str, seconds: float, **more: Any) -> dict[str, Any]:
    payload = {"session_id": SESSION, "cwd": CWD, "hook_event_name": event, **more}
    return {"received_at": RECORDER_AHEAD + seconds, "payload": payload}


HOOKS = [
    hook("SessionStart", -1, source="startup"),
    hook("UserPromptSubmit", -0.5, prompt="Make the cart round prices."),
    hook("PreToolUse", 2.1, tool_name="Bash", tool_use_id="toolu_1"),
    hook("PostToolUse", 4.9, tool_name="Bash", tool_use_id="toolu_1"),
    hook("PreToolUse", 8.2, tool_name="Bash", tool_use_id="toolu_2"),
    hook("PostToolUse", 8.9, tool_name="Bash", tool_use_id="toolu_2"),
    hook("PreToolUse", 11.1, tool_name="Bash", tool_use_id="toolu_3"),
    hook("PostToolUse", 14.9, tool_name="Bash", tool_use_id="toolu_3"),
    hook("Stop", 17.1),
    hook("SessionEnd", 18, reason="other"),
]


def write(folder: Path, *, hooks: bool = True) -> Path:
    """Write the recording into a folder and return the transcript."""
    path = folder / "cart.jsonl"
    path.write_text("".join(json.dumps(one) + "\n" for one in LINES))
    if hooks:
        path.with_name("cart.hooks.jsonl").write_text("".join(json.dumps(one) + "\n" for one in HOOKS))
    return path
