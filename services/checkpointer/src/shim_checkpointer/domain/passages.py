"""What of an entry can be searched for: words of people and models, commands, file names, errors; never outputs."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shim_checkpointer.domain import text
from shim_checkpointer.domain.digest import SYNTHETIC_MODEL, Digest, call_id, is_no_outcome, is_prompt, plain_text
from shim_checkpointer.domain.log import LogEntry
from shim_checkpointer.domain.query import words_of
from shim_common.contracts.base import JsonObject
from shim_common.contracts.search import PassageKind
from shim_common.contracts.sessions import EntryKind

MOST_CHARS = 2000
"""Characters kept of an entry: nearly all of real sessions are shorter, 200 on average."""
_TOOL_CHARS = 128
_TELLING = ("command", "file_path", "notebook_path", "path", "files", "pattern", "url", "query", "description")
"""Arguments of tools that say what a call is about; the others are contents."""
_STATED = ("operation", "phase", "blockers", "decisions", "todos", "active_files")


@dataclass(frozen=True)
class Passage:
    """The searchable text of the entry at a position, redacted as the entry is."""

    position: int
    at: datetime
    kind: PassageKind
    text: str
    tools: tuple[str, ...] = ()
    failed: bool = False

    @property
    def words(self) -> str:
        """The words of the text, as searches compare them."""
        return " ".join(words_of(self.text))


@dataclass(frozen=True)
class _Found:
    kind: PassageKind
    parts: list[str]
    tools: list[str]
    failed: bool = False


def passage_of(position: int, entry: LogEntry, before: Digest) -> Passage | None:
    """Return what can be searched for; None where there is nothing. `before` is the digest up to the entry."""
    found = _found(entry, before)
    if found is None:
        return None
    content = text.clip("\n".join(part.strip() for part in found.parts if part.strip()), MOST_CHARS)
    if not words_of(content):
        return None
    tools = tuple(dict.fromkeys("".join(tool.split())[:_TOOL_CHARS] for tool in found.tools))
    return Passage(position, entry.at, found.kind, content, tools, found.failed)


def _found(entry: LogEntry, before: Digest) -> _Found | None:
    body = entry.body
    match entry.kind:
        case EntryKind.MESSAGE:
            return _message(body, before)
        case EntryKind.TOOL_CALL:
            return _Found(PassageKind.CALL, _telling(body.get("input")), [str(body.get("name"))])
        case EntryKind.TOOL_RESULT:
            given_id = body.get("id", body.get("tool_use_id"))
            output = plain_text(body.get("content", body.get("output")))
            return _failures([(given_id, output)], before) if body.get("is_error") else None
        case EntryKind.ERROR:
            detail = body.get("message") or body.get("error") or body.get("content") or ""
            return _Found(PassageKind.ERROR, [str(detail)], [], failed=True)
        case EntryKind.STATE:
            return _Found(PassageKind.STATE, list(_texts([body.get(name) for name in _STATED])), [])
        case _:
            return None


def _message(body: JsonObject, before: Digest) -> _Found | None:
    message = body.get("message", body)
    if not isinstance(message, dict):
        return None
    if message.get("role") == "assistant":
        return _reply(body, message)
    return _from_user(body, message, before) if message.get("role") == "user" else None


def _reply(body: JsonObject, message: JsonObject) -> _Found | None:
    if message.get("model") == SYNTHETIC_MODEL:
        is_error = body.get("isApiErrorMessage") or body.get("error")
        return _Found(PassageKind.ERROR, [plain_text(message.get("content"))], [], failed=True) if is_error else None
    calls = _blocks(message, "tool_use")
    words = _spoken(message)
    kind = PassageKind.REPLY if any(words) or not calls else PassageKind.CALL
    told = [part for call in calls for part in _telling(call.get("input"))]
    return _Found(kind, [*words, *told], [str(call.get("name")) for call in calls])


def _from_user(body: JsonObject, message: JsonObject, before: Digest) -> _Found | None:
    results = _blocks(message, "tool_result")
    if results:
        failed = [block for block in results if block.get("is_error")]
        return _failures([(one.get("tool_use_id"), plain_text(one.get("content"))) for one in failed], before)
    words = plain_text(message.get("content")).strip()
    is_own = not body.get("isMeta") and not body.get("isCompactSummary") and is_prompt(words)
    return _Found(PassageKind.PROMPT, [words], []) if is_own else None


def _failures(results: Iterable[tuple[Any, str]], before: Digest) -> _Found:
    """Return failed calls: what was called, and the error's text."""
    parts: list[str] = []
    tools: list[str] = []
    for given_id, output in results:
        if is_no_outcome(output):
            continue
        call = before.open_calls.get(call_id(given_id))
        parts += [call.summary, output] if call else [output]
        tools += [call.name] if call else []
    return _Found(PassageKind.ERROR, parts, tools, failed=True)


def _spoken(message: JsonObject) -> list[str]:
    content = message.get("content")
    if isinstance(content, str):
        return [content]
    return [plain_text(block.get("text")) for block in _blocks(message, "text")]


def _telling(arguments: object) -> list[str]:
    return list(_texts([arguments.get(name) for name in _TELLING])) if isinstance(arguments, dict) else []


def _texts(values: Iterable[object]) -> Iterable[str]:
    """Yield the strings among values, those inside lists and objects too."""
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _texts(value)
        elif isinstance(value, dict):
            yield from _texts(value.values())


def _blocks(message: JsonObject, kind: str) -> list[JsonObject]:
    content = message.get("content")
    blocks = content if isinstance(content, list) else []
    return [block for block in blocks if isinstance(block, dict) and block.get("type") == kind]
