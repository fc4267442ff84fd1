"""The digest of a session: what has to be known to go on, kept up entry by entry in bounded space.

It is the fold of the log, so the digest of any checkpoint can be made again from the entries up to it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from shim_checkpointer.domain import text
from shim_checkpointer.domain.log import LogEntry
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import EntryKind

MOST_PROMPTS = 8
MOST_SENTENCES = 20
MOST_FILES = 100
MOST_OPEN_CALLS = 50
MOST_LATENCIES = 20
MOST_TODOS = 50
MOST_TOKENS = 10**9
"""Counts are cut to this, so that sums of what a client claims stay storable."""
_PROMPT_CHARS = 1500
_REPLY_CHARS = 1500
_ERROR_CHARS = 600
_SUMMARY_CHARS = 4000
_LINE_CHARS = 400
_NAME_CHARS = 128
_ID_CHARS = 200
_PATH_CHARS = 4096
"""Longest path that Linux takes (PATH_MAX); what is longer names no file."""

EDITING_TOOLS = frozenset({"Edit", "Write", "MultiEdit", "NotebookEdit"})
_TODO_TOOL = "TodoWrite"
_TASK_TOOLS = frozenset({"TaskCreate", "TaskUpdate"})
_PLAN_TOOL = "ExitPlanMode"
SYNTHETIC_MODEL = "<synthetic>"
_TODO_FIELDS = ("id", "content", "status", "activeForm")
_NO_OUTCOME = ("[Tool call interrupted", "[Tool result missing")
"""How the client words a result that it does not have (2.1.329): such a result proves nothing."""
_GOES_ON = frozenset({"tool_use", "pause_turn"})
"""Stop reasons of a reply after which the turn goes on."""
_NOT_A_PROMPT = ("<command-", "<local-command", "Caveat:", "[Request interrupted", "<task-notification")


@dataclass
class OpenCall:
    """A tool call without a result."""

    name: str
    summary: str
    at: str
    side: bool = False


@dataclass
class Digest:
    """What is known of a session. Times are ISO 8601.

    `turn_at` is when the log last opened or closed a turn, `settled_at` when it last closed one.
    """

    first_prompt: str | None = None
    prompts: list[list[str]] = field(default_factory=list)
    constraints: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    todos: list[JsonObject] = field(default_factory=list)
    files: dict[str, int] = field(default_factory=dict)
    open_calls: dict[str, OpenCall] = field(default_factory=dict)
    last_error: list[str] | None = None
    last_reply: str | None = None
    replied_at: str | None = None
    summary: str | None = None
    stated: JsonObject = field(default_factory=dict)
    messages: int = 0
    tool_calls: int = 0
    tool_failures: int = 0
    error_streak: int = 0
    api_retries: int = 0
    compactions: int = 0
    context_tokens: int = 0
    context_growth: int = 0
    last_call_id: str | None = None
    asked_at: str | None = None
    latencies: list[float] = field(default_factory=list)
    model: str | None = None
    client_version: str | None = None
    turn_open: bool = False
    turn_at: str | None = None
    settled_at: str | None = None

    def add(self, entry: LogEntry) -> None:
        """Take one entry in."""
        _FOLDS[entry.kind](self, entry)

    def to_json(self) -> JsonObject:
        """Return the digest as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: JsonObject) -> "Digest":
        """Return the digest that `to_json` gave; fields of another version are left out."""
        known = {name: value for name, value in document.items() if name in cls.__dataclass_fields__}
        known["open_calls"] = {key: OpenCall(**call) for key, call in known.get("open_calls", {}).items()}
        return cls(**known)

    @property
    def finished_calls(self) -> int:
        """Tool calls that are no longer open."""
        return self.tool_calls - len(self.open_calls)

    def median_latency(self) -> float | None:
        """Return the median seconds from a request to its reply over the last replies."""
        if not self.latencies:
            return None
        ordered = sorted(self.latencies)
        return ordered[len(ordered) // 2]


def fold(entries: Iterable[LogEntry]) -> Digest:
    """Return the digest of a whole log."""
    digest = Digest()
    for entry in entries:
        digest.add(entry)
    return digest


def call_summary(name: str, arguments: JsonObject) -> str:
    """Return what a tool call is about, in a line: its command, file, or arguments."""
    for field_name in (
        "command",
        "file_path",
        "notebook_path",
        "path",
        "pattern",
        "url",
        "query",
        "description",
    ):
        value = arguments.get(field_name)
        if isinstance(value, str):
            return text.shorten(value, 200)
    return text.shorten(str(arguments), 120) if arguments else name


def plain_text(content: Any) -> str:  # noqa: ANN401 - whatever a client put there
    """Return the text in message content: a string, or blocks of which the texts are joined."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [
            plain_text(block.get("text", block.get("content", ""))) for block in content if isinstance(block, dict)
        ]
        return "\n".join(part for part in parts if part)
    return ""


def kept_prompt(prompt: str) -> str:
    """Return what is kept of a prompt."""
    return text.clip(prompt.strip(), _PROMPT_CHARS)


def call_id(value: object) -> str:
    """Return what stands for a tool call; ids of all clients are shorter than the limit."""
    return str(value)[:_ID_CHARS]


def is_prompt(words: str) -> bool:
    """Whether a user's message is a person's words, and not what the client puts there itself."""
    return bool(words) and not words.startswith(_NOT_A_PROMPT)


def is_no_outcome(output: str) -> bool:
    """Whether a result is the client's own stand-in for one it lost."""
    return output.startswith(_NO_OUTCOME)


def _on_message(digest: Digest, entry: LogEntry) -> None:
    body = entry.body
    message = body.get("message", body)
    if not isinstance(message, dict):
        return
    if isinstance(body.get("version"), str):
        digest.client_version = body["version"][:_NAME_CHARS]
    side = bool(body.get("isSidechain"))
    if message.get("role") == "assistant":
        _on_reply(digest, entry, message, side=side)
    elif message.get("role") == "user":
        _on_user(digest, entry, message, side=side)


def _blocks(message: JsonObject, kind: str) -> list[JsonObject]:
    content = message.get("content")
    if not isinstance(content, list):
        return []
    return [block for block in content if isinstance(block, dict) and block.get("type") == kind]


def _on_reply(digest: Digest, entry: LogEntry, message: JsonObject, *, side: bool) -> None:
    if message.get("model") == SYNTHETIC_MODEL:
        _on_local_reply(digest, entry, message)
        return
    calls = _blocks(message, "tool_use")
    for block in calls:
        _start_call(digest, entry.at, block.get("id"), block.get("name"), block.get("input"), side=side)
    if side:
        return
    _count_call(digest, entry.at, message)
    reply = "\n".join(str(block.get("text", "")) for block in _blocks(message, "text")).strip()
    reply = reply or (message["content"] if isinstance(message.get("content"), str) else "")
    if reply:
        digest.messages += 1
        digest.last_reply, digest.replied_at = text.clip(reply, _REPLY_CHARS), entry.at.isoformat()
        _keep(digest.decisions, text.decisions_in(reply))
    _turn(digest, entry.at, is_open=_goes_on(message, bool(calls), bool(reply), digest.turn_open))


def _on_local_reply(digest: Digest, entry: LogEntry, message: JsonObject) -> None:
    """Take in what the client itself said: an API error, or nothing of weight ("No response requested.")."""
    if entry.body.get("isApiErrorMessage") or entry.body.get("error"):
        detail = text.shorten(plain_text(message.get("content")), _ERROR_CHARS)
        digest.last_error = [entry.at.isoformat(), "API", detail]


def _goes_on(message: JsonObject, has_calls: bool, has_text: bool, was_open: bool) -> bool:
    """Whether the turn is open after a reply. Clients before 2.1.197 gave no stop reason, and each block its line."""
    stop = message.get("stop_reason")
    if has_calls or stop in _GOES_ON:
        return True
    return was_open and not has_text and stop is None


def _turn(digest: Digest, at: datetime, *, is_open: bool) -> None:
    """Note where the turn stands. Once one is over, no call of the main conversation is in flight."""
    digest.turn_open, digest.turn_at = is_open, at.isoformat()
    if not is_open:
        digest.settled_at = digest.turn_at
        digest.open_calls = {key: call for key, call in digest.open_calls.items() if call.side}


def _count_call(digest: Digest, at: datetime, message: JsonObject) -> None:
    reply_id, usage = message.get("id"), message.get("usage")
    if isinstance(message.get("model"), str):
        digest.model = message["model"][:_NAME_CHARS]
    if digest.asked_at is not None:
        waited = (at - datetime.fromisoformat(digest.asked_at)).total_seconds()
        digest.latencies = [*digest.latencies, max(0.0, waited)][-MOST_LATENCIES:]
        digest.asked_at = None
    reply_id = reply_id[:_ID_CHARS] if isinstance(reply_id, str) else None
    if isinstance(usage, dict) and (reply_id is None or reply_id != digest.last_call_id):
        digest.last_call_id = reply_id
        _count_usage(digest, usage)


def _count_usage(digest: Digest, usage: JsonObject) -> None:
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    context = min(MOST_TOKENS, sum(max(0, value) for name in names if isinstance(value := usage.get(name), int)))
    if context:
        digest.context_growth = context - digest.context_tokens if digest.context_tokens else 0
        digest.context_tokens = context


def _on_user(digest: Digest, entry: LogEntry, message: JsonObject, *, side: bool) -> None:
    results = _blocks(message, "tool_result")
    for block in results:
        output, failed = plain_text(block.get("content")), bool(block.get("is_error"))
        _end_call(digest, entry.at, block.get("tool_use_id"), output, failed)
    if side:
        return
    digest.asked_at = entry.at.isoformat()
    if results:
        _turn(digest, entry.at, is_open=True)
    if entry.body.get("isCompactSummary"):
        digest.summary = text.clip(plain_text(message.get("content")), _SUMMARY_CHARS)
    elif not results and not entry.body.get("isMeta"):
        _on_prompt(digest, entry.at, plain_text(message.get("content")))


def _on_prompt(digest: Digest, at: datetime, prompt: str) -> None:
    prompt = prompt.strip()
    if not is_prompt(prompt):
        return
    digest.messages += 1
    digest.api_retries = 0
    _turn(digest, at, is_open=True)
    kept = kept_prompt(prompt)
    digest.first_prompt = digest.first_prompt or kept
    digest.prompts = [*digest.prompts, [at.isoformat(), kept]][-MOST_PROMPTS:]
    _keep(digest.constraints, text.constraints_in(prompt))


def _start_call(digest: Digest, at: datetime, given_id: object, tool: object, arguments: object, *, side: bool) -> None:
    inputs = arguments if isinstance(arguments, dict) else {}
    name = str(tool)[:_NAME_CHARS]
    if not side:
        _turn(digest, at, is_open=True)
    digest.tool_calls += 1
    digest.open_calls[call_id(given_id)] = OpenCall(name, call_summary(name, inputs), at.isoformat(), side)
    _forget_oldest(digest.open_calls, MOST_OPEN_CALLS)
    path = inputs.get("file_path") or inputs.get("notebook_path")
    if name in EDITING_TOOLS and isinstance(path, str) and len(path) <= _PATH_CHARS:
        edits = digest.files.pop(path, 0)
        digest.files[path] = edits + 1
        _forget_oldest(digest.files, MOST_FILES)
    if not side:
        _on_planning(digest, name, inputs)


def _forget_oldest(kept: dict[str, Any], most: int) -> None:
    while len(kept) > most:
        kept.pop(next(iter(kept)))


def _on_planning(digest: Digest, name: str, inputs: JsonObject) -> None:
    if name == _TODO_TOOL and isinstance(inputs.get("todos"), list):
        digest.todos = _todos(inputs["todos"])
    elif name in _TASK_TOOLS:
        _on_task(digest, name, inputs)
    elif name == _PLAN_TOOL and isinstance(inputs.get("plan"), str):
        _keep(digest.decisions, [f"Plan: {text.shorten(inputs['plan'], 800)}"])


def _todos(items: list[Any]) -> list[JsonObject]:
    return [_todo(item if isinstance(item, dict) else {"content": item}) for item in items[:MOST_TODOS]]


def _todo(item: JsonObject) -> JsonObject:
    return {name: text.shorten(str(item[name]), 200) for name in _TODO_FIELDS if item.get(name) is not None}


def _on_task(digest: Digest, name: str, inputs: JsonObject) -> None:
    if name == "TaskCreate":
        task_id = str(len(digest.todos) + 1)
        title = str(inputs.get("subject") or inputs.get("description") or "")
        task = _todo({"id": task_id, "content": title, "status": "pending"})
        digest.todos = [*digest.todos, task][-MOST_TODOS:]
        return
    wanted = str(inputs.get("taskId") or inputs.get("id") or "")
    for todo in digest.todos:
        if todo.get("id") == wanted and isinstance(inputs.get("status"), str):
            todo["status"] = inputs["status"][:_NAME_CHARS]


def _end_call(digest: Digest, at: datetime, given_id: object, output: str, failed: bool) -> None:
    if is_no_outcome(output):
        return
    call = digest.open_calls.pop(call_id(given_id), None)
    if not failed:
        digest.error_streak = 0
        return
    digest.tool_failures += 1
    digest.error_streak += 1
    name = f"{call.name}: {call.summary}" if call else "tool"
    digest.last_error = [at.isoformat(), name, text.clip(output, _ERROR_CHARS)]


def _on_tool_call(digest: Digest, entry: LogEntry) -> None:
    body = entry.body
    _start_call(digest, entry.at, body.get("id"), body.get("name"), body.get("input"), side=False)


def _on_tool_result(digest: Digest, entry: LogEntry) -> None:
    body = entry.body
    output = plain_text(body.get("content", body.get("output")))
    _end_call(digest, entry.at, body.get("id", body.get("tool_use_id")), output, bool(body.get("is_error")))


def _on_usage(digest: Digest, entry: LogEntry) -> None:
    _count_usage(digest, entry.body)


def _on_error(digest: Digest, entry: LogEntry) -> None:
    if isinstance(entry.body.get("retryAttempt"), int):
        digest.api_retries += 1
    detail = entry.body.get("message") or entry.body.get("error") or entry.body.get("content") or ""
    digest.last_error = [entry.at.isoformat(), "API", text.shorten(str(detail), _ERROR_CHARS)]


def _on_compaction(digest: Digest, entry: LogEntry) -> None:
    digest.compactions += 1
    digest.context_tokens = 0
    digest.context_growth = 0
    if isinstance(entry.body.get("summary"), str):
        digest.summary = text.clip(entry.body["summary"], _SUMMARY_CHARS)


def _on_state(digest: Digest, entry: LogEntry) -> None:
    """Take in what the assistant stated. A field that is left out stays as it was, an empty one is cleared."""
    body = entry.body
    _keep(digest.decisions, _lines(body.get("decisions")))
    if isinstance(body.get("todos"), list):
        digest.todos = _todos(body["todos"])
    stated = {name: read(body[name]) for name, read in _STATED.items() if body.get(name) is not None}
    merged = {**digest.stated, **stated}
    digest.stated = {name: value for name, value in merged.items() if value not in (None, [], "")}
    progress = _share(digest.stated.get("progress"))
    digest.turn_open = progress is None or progress < 1


def _line(value: object) -> str:
    return text.shorten(str(value), _LINE_CHARS)


def _lines(value: object) -> list[str]:
    items = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    return [_line(item) for item in items[:MOST_SENTENCES] if item not in (None, "")]


def _share(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= 1 else None


_STATED: Mapping[str, Callable[[object], object]] = {
    "operation": _line,
    "phase": _line,
    "progress": _share,
    "blockers": _lines,
    "active_files": _lines,
}


def _on_other(_digest: Digest, _entry: LogEntry) -> None:
    """Notes and metadata are kept in the log; nothing follows from them."""


def _keep(sentences: list[str], found: Iterable[str]) -> None:
    for sentence in found:
        if sentence in sentences:
            sentences.remove(sentence)
        sentences.append(sentence)
    del sentences[:-MOST_SENTENCES]


_FOLDS = {
    EntryKind.MESSAGE: _on_message,
    EntryKind.TOOL_CALL: _on_tool_call,
    EntryKind.TOOL_RESULT: _on_tool_result,
    EntryKind.USAGE: _on_usage,
    EntryKind.ERROR: _on_error,
    EntryKind.COMPACTION: _on_compaction,
    EntryKind.STATE: _on_state,
    EntryKind.NOTE: _on_other,
    EntryKind.META: _on_other,
}
