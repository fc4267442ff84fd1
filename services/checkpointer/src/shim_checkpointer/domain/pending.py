"""What became of the calls that were in flight when a session stopped.

Three witnesses: the log (has no result, or the call would not be pending), the hooks (which may have seen
the end before the client wrote it down), and the processes that outlived the client.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shim_checkpointer.domain.digest import OpenCall, call_summary, plain_text
from shim_checkpointer.domain.text import clip
from shim_common.contracts.base import JsonObject
from shim_common.contracts.sessions import PendingCall, ToolProcess

_OUTPUT_CHARS = 1500
_COMMAND_TO_MATCH = 60


@dataclass(frozen=True)
class Observation:
    """A hook event that the log does not cover yet. `body` is the hook's payload, redacted."""

    kind: str
    subject: str | None
    at: datetime
    body: JsonObject


def pending_calls(
    open_calls: Mapping[str, OpenCall],
    observations: Iterable[Observation],
    processes: Sequence[ToolProcess],
) -> list[PendingCall]:
    """Return every call without a result in the log, with what is known of it, oldest first."""
    started, ended = _by_call(observations)
    calls = {call_id: _from_log(call_id, call) for call_id, call in open_calls.items()}
    for call_id, seen in started.items():
        calls.setdefault(call_id, _from_hook(call_id, seen))
    judged = [_judge(call, ended.get(call.tool_use_id), processes, alone=len(calls) == 1) for call in calls.values()]
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


def _judge(call: PendingCall, end: Observation | None, processes: Sequence[ToolProcess], *, alone: bool) -> PendingCall:
    if end is not None:
        failed = end.kind == "PostToolUseFailure"
        update = {"outcome": "failed" if failed else "finished", "output": _output(end.body)}
        return call.model_copy(update=update)
    process = _process_of(call, processes, alone=alone)
    if process is not None:
        return call.model_copy(update={"outcome": "running", "process": process})
    return call


def _process_of(call: PendingCall, processes: Sequence[ToolProcess], *, alone: bool) -> ToolProcess | None:
    """Return the process of a shell command: the one that names it, or the only one of the only call."""
    if call.name != "Bash" or not processes:
        return None
    wanted = call.summary.split(" … ")[0][:_COMMAND_TO_MATCH]
    for process in processes:
        if wanted and wanted in " ".join(process.command.split()):
            return process
    return processes[0] if alone else None


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
