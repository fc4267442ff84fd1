"""The resume bundle: what a model needs to go on, as facts, the essentials first.

At most 10,000 characters, because the client replaces longer context by a 2 KB preview of a file
(measured with Claude Code 2.1.197); the essentials stand in the first 2,000 for the same reason.
The client counts in UTF-16, where a character beyond the first plane (an emoji) is two.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shim_checkpointer.domain.digest import Digest
from shim_checkpointer.domain.text import clip, shorten
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import PendingCall

LIMIT = 10_000
ESSENTIALS = 2_000

_SHORTEST_ITEM = 70
"""Characters below which an item of a list says too little; rather fewer items are shown."""
_MOST_CALLS = 4
_OUTCOMES = {
    "finished": "it FINISHED before the session stopped; its result:",
    "failed": "it ended with an ERROR before the session stopped:",
    "running": "it is STILL RUNNING",
    "unknown": "its outcome is truly UNKNOWN: no hook and no transcript line saw it end, no process is left",
}
_SHORT_OUTCOMES = {
    "finished": "FINISHED",
    "failed": "ended with an ERROR",
    "running": "STILL RUNNING",
    "unknown": "outcome UNKNOWN",
}


class Standing(StrEnum):
    """In what state of the session a bundle is given."""

    INTERRUPTED = "It was interrupted at"
    COMPACTED = "Its context was compacted at"
    AT_REST = "It was last active at"


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle is made of. `prompts` are times (ISO 8601) and texts, newest last."""

    session: str
    project: str
    standing: Standing
    at: datetime
    position: int
    checkpoint: str | None
    digest: Digest
    prompts: Sequence[tuple[str, str]]
    constraints: Sequence[str]
    reply: str | None
    pending: Sequence[PendingCall]


def render(facts: BundleFacts) -> str:
    """Return the bundle."""
    essentials = _essentials(facts)
    background = _fill(_background(facts, essentials), LIMIT - len(essentials) - 2)
    return _as_client_counts(f"{essentials}\n\n{background}".strip(), LIMIT)


def _as_client_counts(text: str, limit: int) -> str:
    return text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")


def _essentials(facts: BundleFacts) -> str:
    """Give each section its share of the room that is left; what one does not use goes to those behind it."""
    digest = facts.digest
    first, last = _first(facts), _more(facts)
    sections: tuple[tuple[int, Callable[[int], str]], ...] = (
        (5, lambda room: _line("Open task", _open_task(facts), room)),
        (6, lambda room: _calls(facts.pending, room)),
        (4, lambda room: _newest("The user asked to keep to", facts.constraints, 4, room)),
        (1, lambda room: _line("State as the assistant gave it", _stated(digest.stated), room)),
        (3, lambda room: _newest("Decided", digest.decisions, 3, room)),
        (2, lambda room: _line("Files edited", ", ".join(_files(facts)[-8:]), room)),
        (3, lambda room: _error(digest, room)),
    )
    room, weights = ESSENTIALS - len(first) - len(last) - 2, sum(weight for weight, _ in sections)
    parts = [first]
    for weight, make in sections:
        share = room * weight // weights - 1
        weights -= weight
        if section := clip(make(share), share):
            parts.append(section)
            room -= len(section) + 1
    return "\n".join([*parts, last])


def _background(facts: BundleFacts, essentials: str) -> Iterable[str]:
    """Yield what the essentials left out or shortened."""
    digest = facts.digest

    def shortened(items: Iterable[str]) -> list[str]:
        return [item for item in items if " ".join(item.split()) not in essentials]

    if len(facts.pending) > 1 or shortened(call.output or "" for call in facts.pending):
        yield clip(_all_calls(facts.pending), 3000)
    yield clip(_list("All the user asked to keep to", shortened(facts.constraints)), 2000)
    yield from (f"Open task in full: {clip(task, 1500)}" for task in shortened([_open_task(facts)]))
    yield clip(_todos(digest.todos), 2000)
    yield f"Last words of the assistant: {clip(facts.reply, 1500)}" if facts.reply else ""
    yield clip(_list("Decisions", shortened(digest.decisions)), 1500)
    yield clip(_list("Edited files, newest last", _edits(facts)), 1500)
    yield _error(digest, 750)
    earlier = [f"{at[:16]}Z {shorten(prompt, 400)}" for at, prompt in facts.prompts[:-1]]
    yield clip(_list("Earlier requests of the user", earlier), 2500)
    if digest.first_prompt and len(facts.prompts) > 1:
        yield f"First request: {shorten(digest.first_prompt, 700)}"
    yield f"Summary of the last compaction: {digest.summary}" if digest.summary else ""


def _open_task(facts: BundleFacts) -> str:
    return facts.prompts[-1][1] if facts.prompts else ""


def _fill(sections: Iterable[str], budget: int) -> str:
    """Join sections while they fit; the one that does not is cut, the ones after it are left out."""
    kept: list[str] = []
    room = budget
    for section in filter(None, sections):
        if len(section) > room:
            if room > 200:
                kept.append(clip(section, room))
            break
        kept.append(section)
        room -= len(section) + 1
    return "\n".join(kept)


def _first(facts: BundleFacts) -> str:
    return f"SHIM kept this session ({facts.session}). {facts.standing} {facts.at:%Y-%m-%d %H:%M:%S} UTC."


def _more(facts: BundleFacts) -> str:
    saved = f" Checkpoint {facts.checkpoint}." if facts.checkpoint else ""
    return (
        "More: tool shim_session_status or shim_check_recovery with this session_id; "
        f"all {facts.position} entries: resource shim://sessions/{facts.session}/transcript.{saved}"
    )


def _line(title: str, value: str, room: int) -> str:
    return f"{title}: {shorten(value, room - len(title) - 2)}" if value else ""


def _list(title: str, items: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"- {item}" for item in items)]) if items else ""


def _newest(title: str, items: Sequence[str], most: int, room: int) -> str:
    """List the newest items, each shortened to its part of the room."""
    shown = items[-min(most, max(1, room // _SHORTEST_ITEM)) :]
    each = (room - len(title) - 1) // max(1, len(shown)) - 3
    return _list(title, [shorten(item, each) for item in shown])


def _stated(stated: JsonObject) -> str:
    blockers = ", ".join(stated.get("blockers", []))
    named = {**stated, "blockers": blockers, "active_files": ", ".join(stated.get("active_files", []))}
    return "; ".join(f"{name.replace('_', ' ')}: {value}" for name, value in named.items() if value != "")


def _calls(pending: Sequence[PendingCall], room: int) -> str:
    """Tell of the calls in flight: of one in full, of several each with its outcome in a word."""
    if not pending:
        return "No tool call was in flight."
    if len(pending) == 1:
        return f"Tool call in flight: {_call(pending[0], room - 22)}"
    shown = pending[-_MOST_CALLS:]
    left_out = f"\n- and {len(pending) - len(shown)} earlier ones" if len(pending) > len(shown) else ""
    each = (room - 22 - len(left_out)) // len(shown) - 3
    return "\n".join(["Tool calls in flight:", *(f"- {_call_in_brief(call, each)}" for call in shown)]) + left_out


def _call(call: PendingCall, room: int) -> str:
    ending = f"` ({call.tool_use_id[:64]}): {_OUTCOMES[call.outcome]}{_process(call)}"
    name = call.name[:40]
    line = f"{name} `{shorten(call.summary, min(120, room - len(name) - len(ending) - 2))}{ending}"
    if call.outcome == "running":
        return f"{line}; starting it again would make two of them"
    if call.output:
        return f"{line}\n  {clip(call.output, room - len(line) - 3)}"
    return line if call.output is None else f"{line} (no output)"


def _call_in_brief(call: PendingCall, room: int) -> str:
    ending = f"` ({call.tool_use_id[:40]}): {_SHORT_OUTCOMES[call.outcome]}{_process(call)}"
    name = call.name[:20]
    return f"{name} `{shorten(call.summary, max(8, room - len(name) - len(ending) - 2))}{ending}"


def _all_calls(pending: Sequence[PendingCall]) -> str:
    each = max(300, 2800 // len(pending))
    return _list("In flight, in full", [_call(call, each) for call in reversed(pending)])


def _process(call: PendingCall) -> str:
    return f" as process {call.process.pid}" if call.process is not None else ""


def _error(digest: Digest, room: int) -> str:
    if digest.last_error is None:
        return ""
    at, source, detail = digest.last_error
    start = f"Last error ({at[:19]}Z, {shorten(source, min(120, room // 3))}): "
    return start + shorten(detail, room - len(start))


def _todos(todos: Sequence[JsonObject]) -> str:
    marks = {"completed": "x", "in_progress": "~"}
    items = [
        f"[{marks.get(str(todo.get('status')), ' ')}] {shorten(str(todo.get('content', '')), 160)}" for todo in todos
    ]
    return _list("Task list ([x] done, [~] in progress)", items)


def _files(facts: BundleFacts) -> list[str]:
    prefix = facts.project.rstrip("/") + "/"
    return [path.removeprefix(prefix) for path in facts.digest.files]


def _edits(facts: BundleFacts) -> list[str]:
    counts = facts.digest.files.values()
    return [f"{name} ({count}x)" for name, count in zip(_files(facts), counts, strict=True)][-40:]
