"""What is known of the end of a client that is nobody's child here: neither its exit code nor its signal."""

from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

from shim_agent.processes.identity import recorded_reference
from shim_agent.processes.records import read_record
from shim_common.contracts.sessions import ProcessRef, Session, SessionState
from shim_common.contracts.supervision import EndKind
from shim_common.processes import is_same_process
from shim_supervision import classify

_BY_HAND = frozenset({"prompt_input_exit", "logout"})
"""Reasons of `SessionEnd` that only a person at the prompt gives; `other` is a signal's too."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an end was, and whether a person at the prompt is known to have asked for it."""

    kind: EndKind
    by_hand: bool = False


def left_record(config_dir: Path, process: ProcessRef) -> bool:
    """Tell whether a process left its record behind: the client takes it away whenever it ends in order."""
    record = read_record(config_dir, process.pid)
    told = recorded_reference(record) if record else None
    return told is not None and is_same_process(told, process)


async def judge(config_dir: Path, process: ProcessRef, told: Awaitable[Session | None], *, cut_off: bool) -> Judgement:
    """Return what the end was. Only where the record does not prove a crash is the session's state waited for.

    `cut_off`: whatever the client ran under (`shim run`, the machine) ended before it, so that an orderly end proves
    nothing unless the person is known to have asked for it.
    """
    if left_record(config_dir, process):
        return Judgement(EndKind.KILLED)
    session = await told
    turn_open = None if session is None else session.state is SessionState.INTERRUPTED
    kind = classify(None, None, record_left=False, turn_open=turn_open)
    by_hand = session is not None and session.end_reason in _BY_HAND
    if kind is EndKind.CLOSED and cut_off and not by_hand:
        return Judgement(EndKind.LOST)
    return Judgement(kind, by_hand)
