"""Transcripts of which every figure is known."""

import json
from pathlib import Path
from typing import Any

SESSION = "0a0a0a0a-0000-4000-8000-000000000001"
OTHER = "0b0b0b0b-0000-4000-8000-000000000002"
CWD = "/home/ana/webshop"
FOLDER = "-home-ana-webshop"
OPUS = "claude-opus-5-5"


def reply(number: int, *, output: int = 10, **more: Any) -> dict[str, Any]:
    """One line of a reply: 1,000 tokens of input, 2,000 of writes for an hour, 100,000 of reads."""
    model = more.pop("model", OPUS)
    usage = {
        "input_tokens": 1000,
        "cache_creation_input_tokens": 2000,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2000},
        "cache_read_input_tokens": 100_000,
        "output_tokens": output,
        **more.pop("usage", {}),
    }
    return {
        "type": "assistant",
        "uuid": f"line-{number}-{output}",
        "timestamp": f"2026-11-{number:02}T12:00:00.000Z",
        "sessionId": SESSION,
        "cwd": CWD,
        "isSidechain": False,
        "version": "2.1.329",
        "requestId": f"req_{number}",
        "message": {"id": f"msg_{number}", "role": "assistant", "model": model, "content": [], "usage": usage},
        **more,
    }


def shown(line: dict[str, Any], agent: str) -> dict[str, Any]:
    """What the main transcript of some clients shows of a subagent's reply."""
    inner = {name: line[name] for name in ("type", "timestamp", "message", "requestId", "uuid")}
    outer = {name: line[name] for name in ("sessionId", "cwd", "timestamp", "version", "isSidechain")}
    return {"type": "progress", **outer, "data": {"type": "agent_progress", "agentId": agent, "message": inner}}


def text(*lines: dict[str, Any]) -> str:
    return "".join(f"{json.dumps(line, separators=(',', ':'))}\n" for line in lines)


def write(config_dir: Path, *lines: dict[str, Any], name: str = SESSION, folder: str = FOLDER) -> Path:
    file = config_dir / "projects" / folder / f"{name}.jsonl"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text(*lines))
    return file
