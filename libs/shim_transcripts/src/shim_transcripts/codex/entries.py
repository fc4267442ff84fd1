"""What of a Codex rollout goes into a session's log, and under which identity.

A line is `{"timestamp", "ordinal", "type", "payload"}`. Words, calls and results become `message` entries in the
shape of Claude Code's; figures become `usage`. The conversation of a rollout is its `response_item` lines: what
`event_msg` lines show of the same is left out.
"""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from shim_transcripts.codex.calls import tool_result, tool_use
from shim_transcripts.dialect import Dialect
from shim_transcripts.entries import MAX_UNKNOWN, Entry, Kind, Skipped
from shim_transcripts.jsontext import JsonObject
from shim_transcripts.records import Record

NOISE: Mapping[str, str] = {
    "event_msg/agent_message": "repeats a response_item",
    "event_msg/agent_reasoning": "repeats a response_item",
    "event_msg/item_completed": "repeats a response_item, for the screen",
    "event_msg/task_started": "the prompt that follows says so",
    "event_msg/thread_settings_applied": "repeats turn_context",
    "event_msg/token_count": "repeats token_usage_record, with rate limits",
    "event_msg/user_message": "repeats a response_item",
    "response_item/message/developer": "instructions and tool descriptions, which the client makes anew",
    "response_item/message/compaction": "a summary, which the compacted line repeats",
    "response_item/reasoning": "encrypted reasoning without a readable summary",
    "world_state": "the client's view of its surroundings, which it makes anew",
}
"""Line types that are left out, each with the reason. A subtype follows after a slash."""

_META = frozenset({"session_meta", "turn_context"})
_TURN_OVER = frozenset({"task_complete", "turn_aborted"})
_CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_RESULTS = frozenset({"function_call_output", "custom_tool_call_output"})
_LARGE = frozenset({"base_instructions", "dynamic_tools", "replacement_history"})
"""Fields that hold what the client makes anew, or what the log has already."""

_INJECTED = re.compile(r"\s*(?:<[a-z_]+[ >]|# AGENTS\.md instructions)")
"""How a `user` message begins that no person wrote, in versions that do not say what a message is."""

Body = tuple[Kind, JsonObject]


def is_rollout_line(record: Record) -> bool:
    """Tell a line of a rollout from an object inside one."""
    return bool(record.type) and record.at is not None and isinstance(record.data.get("payload"), dict)


def _is_known(record: Record) -> bool:
    name = _name(record)
    return record.type in _META or name in NOISE or name in _RULES


def _to_entry(record: Record, undated: datetime) -> Entry | Skipped:
    """Make the log entry of a line, or say that it is left out. The key is the line's digest."""
    name, payload = _name(record), _payload(record)
    if name in NOISE and name not in _RULES:
        return Skipped(name)
    if not _is_known(record) and record.size > MAX_UNKNOWN:
        return Skipped(name)
    rule = _RULES.get(name, _meta)
    made = rule(record, payload)
    if isinstance(made, str):
        return Skipped(made)
    kind, body = made
    return Entry(f"h:{record.digest}", kind, record.at or undated, body)


def _name(record: Record) -> str:
    """Return a line's type; that of its payload follows after a slash."""
    inner = _payload(record).get("type")
    return f"{record.type}/{inner}" if isinstance(inner, str) else record.type


def _payload(record: Record) -> JsonObject:
    payload = record.data.get("payload")
    return payload if isinstance(payload, dict) else {}


def _meta(record: Record, payload: JsonObject) -> Body:
    kept = {name: value for name, value in payload.items() if name not in _LARGE}
    return "meta", {**record.data, "payload": kept}


def _message(role: str, content: list[JsonObject], **more: object) -> Body:
    """Return an entry as Claude Code's are. Whether a turn is over is never told from the words: see `_turn_over`."""
    stop = {"stop_reason": "pause_turn"} if role == "assistant" else {}
    return "message", {"type": role, "message": {"role": role, "content": content, **stop}, **more}


def _words(record: Record, payload: JsonObject) -> Body | str:
    role, blocks = payload.get("role"), payload.get("content")
    if role not in ("user", "assistant"):
        return "response_item/message/developer"
    if _is_summary(record, payload):
        return "response_item/message/compaction"
    content = [_text(block) for block in blocks if isinstance(block, dict)] if isinstance(blocks, list) else []
    injected = {"isMeta": True} if role == "user" and not _is_prompt(payload, content) else {}
    return _message(str(role), content, **injected)


def _text(block: JsonObject) -> JsonObject:
    is_text = block.get("type") in ("input_text", "output_text")
    return {"type": "text", "text": str(block.get("text") or "")} if is_text else block


def _is_prompt(payload: JsonObject, content: list[JsonObject]) -> bool:
    kinds = _kinds(payload)
    if kinds:
        return any(kind.startswith("user.") for kind in kinds)
    texts = [str(block.get("text")) for block in content if block.get("type") == "text"]
    return not (texts and _INJECTED.match(texts[0]))


def _is_summary(record: Record, payload: JsonObject) -> bool:
    about = record.data.get("metadata")
    is_output = isinstance(about, dict) and about.get("compaction_output") is True
    return is_output or "compaction.summary" in _kinds(payload)


def _kinds(payload: JsonObject) -> list[str]:
    """Return what a message's parts are, where the version says so."""
    about = payload.get("internal_chat_message_metadata_passthrough")
    kinds = about.get("content_item_kinds") if isinstance(about, dict) else None
    return [kind for kind in kinds if isinstance(kind, str)] if isinstance(kinds, list) else []


def _reasoning(_record: Record, payload: JsonObject) -> Body | str:
    parts = payload.get("summary")
    texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    summary = "\n".join(text for text in texts if isinstance(text, str) and text)
    return _message("assistant", [{"type": "thinking", "thinking": summary}]) if summary else "response_item/reasoning"


def _call(record: Record, payload: JsonObject) -> Body:
    block = tool_use(payload)
    return _message("assistant", [block]) if block else _meta(record, payload)


def _result(record: Record, payload: JsonObject) -> Body:
    block = tool_result(payload)
    return _message("user", [block]) if block else _meta(record, payload)


def _usage(record: Record, payload: JsonObject) -> Body:
    """Return a request's tokens. What was read from the cache is part of Codex's `input_tokens`."""
    usage = payload.get("usage")
    if not isinstance(usage, dict):
        return _meta(record, payload)
    total, cached = _count(usage, "input_tokens"), _count(usage, "cached_input_tokens")
    counted = {
        "input_tokens": max(0, total - cached),
        "cache_read_input_tokens": cached,
        "output_tokens": _count(usage, "output_tokens"),
        "reasoning_output_tokens": _count(usage, "reasoning_output_tokens"),
    }
    return "usage", {"type": record.type, "id": payload.get("response_id"), **counted}


def _count(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else 0


def _compaction(record: Record, payload: JsonObject) -> Body:
    return "compaction", {"type": record.type, "summary": payload.get("message")}


def _turn_over(_record: Record, payload: JsonObject) -> Body:
    """Say that a turn is over: the words of an answer do not, since calls may follow them."""
    over: JsonObject = {"role": "assistant", "content": [], "stop_reason": "end_turn"}
    return "message", {"type": "assistant", "message": over, "event": payload.get("type")}


def _error(record: Record, payload: JsonObject) -> Body:
    return "error", {"type": record.type, **payload}


_RULES: Mapping[str, Callable[[Record, JsonObject], Body | str]] = {
    "response_item/message": _words,
    "response_item/reasoning": _reasoning,
    **{f"response_item/{name}": _call for name in _CALLS},
    **{f"response_item/{name}": _result for name in _RESULTS},
    **{f"event_msg/{name}": _turn_over for name in _TURN_OVER},
    "event_msg/error": _error,
    "event_msg/stream_error": _error,
    "token_usage_record": _usage,
    "compacted": _compaction,
}

CODEX = Dialect(_to_entry, _is_known, is_rollout_line)
"""How Codex's rollouts are read."""
