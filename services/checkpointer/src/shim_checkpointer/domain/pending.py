"""What became of the calls that were in flight when a session stopped.

Three witnesses: the log (has no result, or the call would not be pending), the hooks (which may have seen
the end before the client wrote it down), and the processes that outlived the client.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shim_checkpointer.domain.digest import OpenCall, call_summary, plain_text
from shim_checkpointer.domain.text import GAP, clip
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import PendingCall, ToolProcess

_OUTPUT_CHARS = 1500
_COMMAND_TO_MATCH = 60
_EVALUATES = re.compile(r"\beval\s")
"""What the shell of a command says and no other of the client's processes does (2.1.197 and 2.1.329)."""
_CLOCK_SLACK = 2.0
"""Seconds by which a process may seem older than the call that started it: boot time is known to the second."""


@dataclass(frozen=True)
class Observation:
    """A hook event that the log does not cover yet. `body` is the hook's payload, redacted."""

    kind: str
    subject: str | None
    at: datetime
    body: JsonObject


COVERED_KINDS = ("UserPromptSubmit", "PreToolUse", "PostToolUse", "PostToolUseFailure", "Stop", "StopFailure")
"""Hook events whose content a log comes to hold."""


def reply_subject(words: str) -> str:
    """Return what joins the end of a turn, as a hook tells it, with the reply in the log: both have the words alone."""
    return f"reply:{hashlib.sha256(words.strip().encode()).hexdigest()[:32]}"


def pending_calls(
    open_calls: Mapping[str, OpenCall],
    observations: Iterable[Observation],
    processes: Sequence[ToolProcess],
    settled_at: str | None = None,
) -> list[PendingCall]:
    """Return every call without a result in the log, with what is known of it, oldest first.

    `settled_at` is when the log last closed a turn: no call that hooks saw before is in flight.
    """
    settled = datetime.fromisoformat(settled_at) if settled_at else None
    started, ended = _by_call(seen for seen in observations if settled is None or seen.at > settled)
    calls = {call_id: _from_log(call_id, call) for call_id, call in open_calls.items()}
    for call_id, seen in started.items():
        calls.setdefault(call_id, _from_hook(call_id, seen))
    running = _running([call for call in calls.values() if call.tool_use_id not in ended], processes)
    judged = [_judge(call, ended.get(call_id), running.get(call_id)) for call_id, call in calls.items()]
    return sorted(judged, key=lambda call: call.started_at.timestamp() if call.started_at else 0.0)


def _by_call(observations: Iterable[Observation]) -> tuple[dict[str, Observation], dict[str, Observation]]:
    started: dict[str, Observation] = {}
    ended: dict[str, Observation] = {}
    for seen in observations:
        if seen.subject is None:
            continue
        if seen.kind == "PreToolUse":
            started[seen.subject] = seen
        elif seen.kind in ("PostToolUse", "PostToolUseFailure"):
            ended[seen.subject] = seen
            started.setdefault(seen.subject, seen)
    return started, ended


def _from_log(call_id: str, call: OpenCall) -> PendingCall:
    return PendingCall(
        tool_use_id=call_id,
        name=call.name,
        summary=call.summary,
        started_at=datetime.fromisoformat(call.at),
        outcome="unknown",
    )


def _from_hook(call_id: str, seen: Observation) -> PendingCall:
    name = str(seen.body.get("tool_name") or "tool")
    arguments = seen.body.get("tool_input")
    summary = call_summary(name, arguments if isinstance(arguments, dict) else {})
    return PendingCall(tool_use_id=call_id, name=name, summary=summary, started_at=seen.at, outcome="unknown")


def _judge(call: PendingCall, end: Observation | None, process: ToolProcess | None) -> PendingCall:
    if end is not None:
        outcome = "failed" if end.kind == "PostToolUseFailure" else "finished"
        return call.model_copy(update={"outcome": outcome, "output": _output(end.body)})
    if process is not None:
        return call.model_copy(update={"outcome": "running", "process": process})
    return call


def _running(calls: Sequence[PendingCall], processes: Sequence[ToolProcess]) -> dict[str, ToolProcess]:
    """Return the process of each shell command that has one: the first, not another call's, that names the command.

    The only call there is may also own a shell that does not name it, if that is not older than the call. Any process
    would not do: hooks, MCP servers and what a resumed client starts are younger than the call, too.
    """
    shells = sorted((call for call in calls if call.name == "Bash"), key=lambda call: -len(call.summary))
    free, found = list(processes), {}
    for call in shells:
        process = next((one for one in free if _names(one, call)), None)
        if process is None and len(calls) == 1:
            process = next((one for one in free if _EVALUATES.search(one.command) and _is_younger(one, call)), None)
        if process is not None:
            free.remove(process)
            found[call.tool_use_id] = process
    return found


def _names(process: ToolProcess, call: PendingCall) -> bool:
    """Whether the process's command line holds the call's command, or its beginning where that is long."""
    whole = call.summary.split(GAP)[0]
    start = whole[:_COMMAND_TO_MATCH]
    ending = r"(?!\w)" if start == call.summary else ""
    command = " ".join(process.command.split())
    return bool(start) and re.search(rf"(?<!\w){re.escape(start)}{ending}", command) is not None


def _is_younger(process: ToolProcess, call: PendingCall) -> bool:
    return call.started_at is not None and process.created >= call.started_at.timestamp() - _CLOCK_SLACK


def _output(body: JsonObject) -> str:
    error = body.get("error")
    if isinstance(error, str):
        return clip(error, _OUTPUT_CHARS)
    response = body.get("tool_response")
    if isinstance(response, dict) and ("stdout" in response or "stderr" in response):
        parts = [str(response.get("stdout") or ""), str(response.get("stderr") or "")]
        return clip("\n".join(part for part in parts if part), _OUTPUT_CHARS)
    if isinstance(response, dict) and "filePath" in response:
        return f"{response['filePath']} was written"
    return clip(plain_text(response) or str(response if response is not None else ""), _OUTPUT_CHARS)
