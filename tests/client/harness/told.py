"""Holds what SHIM was told in hooks against what it gives back: nothing acknowledged may be missing or misjudged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shim_common.contracts.sessions import Entry, Recovery, Session, SessionState

from .journal import Acknowledged
from .transcript import blocks, messages, texts

Json = dict[str, Any]

ENDS = {"PostToolUse": "finished", "PostToolUseFailure": "failed"}
WORDS = {"finished": "FINISHED", "failed": "ended with an ERROR", "running": "STILL RUNNING", "unknown": "UNKNOWN"}
"""How a bundle words each outcome."""


@dataclass(frozen=True)
class Call:
    """A tool call as hooks told of it: `outcome` is None, and there is no output, if none told of its end."""

    outcome: str | None = None
    output: str = ""


@dataclass(frozen=True)
class Told:
    """What the acknowledged hooks of a session tell."""

    prompts: Sequence[str]
    calls: Mapping[str, Call]
    last_words: str | None
    turn_open: bool

    @classmethod
    def by(cls, hooks: Iterable[Acknowledged]) -> "Told":
        """Read hooks in the order of their acknowledgement."""
        prompts: list[str] = []
        calls: dict[str, Call] = {}
        last_words, turn_open = None, False
        for hook in hooks:
            payload = hook.payload
            if hook.event == "UserPromptSubmit":
                prompts.append(payload["prompt"])
                turn_open = True
            elif hook.event == "PreToolUse":
                calls[payload["tool_use_id"]] = Call()
            elif hook.event in ENDS:
                calls[payload["tool_use_id"]] = Call(ENDS[hook.event], _output(payload))
            elif hook.event == "Stop":
                last_words, turn_open = payload["last_assistant_message"], False
        return cls(prompts, calls, last_words, turn_open)


@dataclass(frozen=True)
class Given:
    """What SHIM gives of a session."""

    session: Session
    entries: Sequence[Entry]
    recovery: Recovery

    @property
    def bundle(self) -> str:
        """The resume bundle."""
        return self.recovery.bundle or ""

    @property
    def texts(self) -> list[str]:
        """What was said according to the log, by whomever."""
        return texts(self._messages)

    @property
    def calls(self) -> list[str]:
        """The ids of the calls in the log."""
        return [block["id"] for block in blocks(self._messages) if block["type"] == "tool_use"]

    @property
    def results(self) -> dict[str, str]:
        """The results in the log by call."""
        results = [block for block in blocks(self._messages) if block["type"] == "tool_result"]
        return {block["tool_use_id"]: str(block["content"]) for block in results}

    @property
    def _messages(self) -> list[Json]:
        return [entry.body["message"] for entry in self.entries if "message" in entry.body]


def complaints(told: Told, given: Given, running: Set[int]) -> list[str]:
    """Return what is missing or wrong; `running` are the pids of the tool processes that are alive."""
    return [*_lost(told, given), *_misjudged(told, given, running)]


def unread(transcript: Path | None, given: Given) -> list[str]:
    """Return the messages of a transcript, by their ids, that the log has not got."""
    written = [line["uuid"] for line in messages(transcript)] if transcript else []
    stored = {entry.key for entry in given.entries}
    return [f"message {key} of the transcript is not stored" for key in written if key not in stored]


def unsaid(told: Told, given: Given, bundle: str) -> Iterator[str]:
    """Yield what a bundle leaves out of what is needed to go on."""
    wanted = [*told.prompts[-1:], *([told.last_words] if told.last_words else [])]
    for call in given.recovery.pending:
        wanted += [call.tool_use_id, WORDS[call.outcome], (call.output or "").strip()]
        wanted += [f"process {call.process.pid}"] if call.process else []
    yield from (f"the bundle does not say {words!r}" for words in wanted if words not in bundle)


def _lost(told: Told, given: Given) -> Iterator[str]:
    pending = {call.tool_use_id: call for call in given.recovery.pending}
    for words in [*told.prompts, *([told.last_words] if told.last_words else [])]:
        if words not in given.texts and words not in given.bundle:
            yield f"{words!r} is lost"
    for call_id, call in told.calls.items():
        if call_id not in given.calls and call_id not in pending:
            yield f"call {call_id} is lost"
        elif call.outcome:
            known = given.results.get(call_id) or (pending[call_id].output if call_id in pending else None)
            if call.output not in (known or ""):
                yield f"output {call.output!r} of {call_id} is lost"


def _misjudged(told: Told, given: Given, running: Set[int]) -> Iterator[str]:
    state = SessionState.INTERRUPTED if told.turn_open else SessionState.ENDED
    if given.session.state is not state:
        yield f"the session is {given.session.state}, not {state}"
    in_doubt = "running" if running else "unknown"
    calls = {**dict.fromkeys(given.calls, Call()), **told.calls}
    expected = {call_id: call.outcome or in_doubt for call_id, call in calls.items() if call_id not in given.results}
    judged = {call.tool_use_id: call.outcome for call in given.recovery.pending}
    if judged != expected:
        yield f"calls in flight are judged {judged}, not {expected}"
    strangers = {call.process.pid for call in given.recovery.pending if call.process} - running
    if strangers:
        yield f"processes {strangers} are not the tool's"


def _output(payload: Json) -> str:
    return str(payload["error"] if "error" in payload else payload["tool_response"]["stdout"])
