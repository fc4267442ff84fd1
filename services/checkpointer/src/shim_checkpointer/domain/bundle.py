"""The resume bundle: what a model needs to go on, as facts, the essentials first.

At most 10,000 characters, because the client replaces longer context by a 2 KB preview of a file
(measured with Claude Code 2.1.197); the essentials stand in the first 2,000 for the same reason.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from shim_checkpointer.domain.digest import Digest
from shim_checkpointer.domain.text import clip, shorten
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import PendingCall

LIMIT = 10_000
ESSENTIALS = 2_000

_OUTCOMES = {
    "finished": "it FINISHED before the session stopped; its result:",
    "failed": "it ended with an ERROR before the session stopped:",
    "running": "it is STILL RUNNING",
    "unknown": "its outcome is truly UNKNOWN: no hook and no transcript line saw it end, no process is left",
}


@dataclass(frozen=True)
class BundleFacts:
    """What a bundle is made of."""

    session: str
    project: str
    last_seen_at: datetime
    interrupted: bool
    position: int
    checkpoint: str | None
    digest: Digest
    prompt: str | None
    pending: Sequence[PendingCall]


def render(facts: BundleFacts) -> str:
    """Return the bundle."""
    essentials = _fit(_essentials(facts), ESSENTIALS)
    rest = _fit(_background(facts), LIMIT - len(essentials) - 2)
    return f"{essentials}\n\n{rest}".strip() if rest else essentials


def _fit(sections: Iterable[str], budget: int) -> str:
    """Join sections while they fit; the one that does not is cut, the ones after it are left out."""
    kept: list[str] = []
    room = budget
    for section in sections:
        if not section:
            continue
        if len(section) > room:
            if room > 200:
                kept.append(clip(section, room))
            break
        kept.append(section)
        room -= len(section) + 1
    return "\n".join(kept)


def _essentials(facts: BundleFacts) -> Iterable[str]:
    digest = facts.digest
    how = "was interrupted" if facts.interrupted else "was last active"
    yield f"SHIM kept this session ({facts.session}). It {how} at {facts.last_seen_at:%Y-%m-%d %H:%M:%S} UTC."
    yield _line("Open task", shorten(facts.prompt or "", 420))
    yield _stated(digest.stated)
    yield _calls(facts.pending, 420)
    yield _list("The user asked to keep to", [shorten(c, 130) for c in digest.constraints[-4:]])
    yield _list("Decided", [shorten(d, 130) for d in digest.decisions[-3:]])
    yield _line("Files edited", shorten(", ".join(_relative(list(digest.files)[-8:], facts.project)), 260))
    yield _error(digest, 220)
    yield _more(facts)


def _background(facts: BundleFacts) -> Iterable[str]:
    digest = facts.digest
    yield _todos(digest.todos)
    if facts.pending and any(len(call.output or "") > 300 for call in facts.pending):
        yield _calls(facts.pending, 1500)
    yield _line("Last words of the assistant", digest.last_reply or "")
    yield _list("All constraints heard", digest.constraints[:-4])
    yield _list("Earlier decisions", digest.decisions[:-3])
    yield _list("Edited files, newest last", _edits(digest, facts.project))
    yield _error(digest, 600)
    earlier = [f"{at[:16]}Z {shorten(prompt, 400)}" for at, prompt in digest.prompts[:-1]]
    yield _list("Earlier requests of the user", earlier)
    if digest.first_prompt and len(digest.prompts) > 1:
        yield _line("First request", shorten(digest.first_prompt, 700))
    yield _line("Summary of the last compaction", digest.summary or "")


def _line(title: str, value: str) -> str:
    return f"{title}: {value}" if value else ""


def _list(title: str, items: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"- {item}" for item in items)]) if items else ""


def _stated(stated: JsonObject) -> str:
    parts = [f"{key} {stated[key]}" for key in ("operation", "phase", "progress", "blockers") if stated.get(key)]
    return _line("State as the assistant gave it", shorten("; ".join(parts), 260))


def _calls(pending: Sequence[PendingCall], output_chars: int) -> str:
    if not pending:
        return "No tool call was in flight."
    return "\n".join(["Tool calls in flight when it stopped:", *(_call(call, output_chars) for call in pending[-4:])])


def _call(call: PendingCall, output_chars: int) -> str:
    line = f"- {call.name} `{shorten(call.summary, 160)}` ({call.tool_use_id}): {_OUTCOMES[call.outcome]}"
    if call.outcome == "running" and call.process is not None:
        return f"{line} as process {call.process.pid}; starting it again would make two of them"
    if call.output:
        return f"{line}\n  {clip(call.output, output_chars)}"
    return line if call.output is None else f"{line} (no output)"


def _error(digest: Digest, chars: int) -> str:
    if digest.last_error is None:
        return ""
    at, source, detail = digest.last_error
    return f"Last error ({at[:19]}Z, {shorten(source, 120)}): {shorten(detail, chars)}"


def _todos(todos: Sequence[JsonObject]) -> str:
    marks = {"completed": "x", "in_progress": "~"}
    items = [
        f"[{marks.get(str(todo.get('status')), ' ')}] {shorten(str(todo.get('content', '')), 160)}" for todo in todos
    ]
    return _list("Task list ([x] done, [~] in progress)", items)


def _edits(digest: Digest, project: str) -> list[str]:
    names = _relative(list(digest.files), project)
    return [f"{name} ({count}x)" for name, count in zip(names, digest.files.values(), strict=True)][-40:]


def _relative(paths: Sequence[str], project: str) -> list[str]:
    prefix = project.rstrip("/") + "/"
    return [path.removeprefix(prefix) for path in paths]


def _more(facts: BundleFacts) -> str:
    saved = f" Checkpoint {facts.checkpoint}." if facts.checkpoint else ""
    return (
        f"More: tool shim_session_status or shim_check_recovery with session_id {facts.session}; "
        f"all {facts.position} entries: resource shim://sessions/{facts.session}/transcript.{saved}"
    )
