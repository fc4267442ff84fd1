"""A line of a transcript as a request to the model: who made it, when, and with how many tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shim_prices import Usage
from shim_transcripts.conversation import SYNTHETIC_MODEL
from shim_transcripts.records import moment

Body = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request to the model, as one line tells of it; `agent` is the subagent that made it, None the main one.

    `message_id` and `request_id` name the reply: every line of it, and every copy of them, repeats both. `line_id` is
    the line's own.
    """

    message_id: str | None
    request_id: str | None
    line_id: str | None
    session: str
    agent: str | None
    cwd: str | None
    at: datetime
    model: str
    usage: Usage


@dataclass(frozen=True, slots=True)
class Synthetic:
    """A reply that the client wrote by itself, such as an error text: no request is behind it."""


def call_of(body: Body) -> Call | Synthetic | None:
    """Return the request that a line tells of; None where it is about something else, or without time or session."""
    line = _spoken(body)
    message = _object(line, "message")
    usage, model = message.get("usage"), _text(message, "model")
    if line.get("type") != "assistant" or not isinstance(usage, dict) or model is None:
        return None
    if model == SYNTHETIC_MODEL:
        return Synthetic()
    at, session = moment(line.get("timestamp")), _text(body, "sessionId")
    if at is None or session is None:
        return None
    return Call(
        message_id=_text(message, "id"),
        request_id=_text(line, "requestId"),
        line_id=_text(line, "uuid"),
        session=session,
        agent=_agent(body),
        cwd=_text(body, "cwd"),
        at=at,
        model=model,
        usage=Usage.of(usage),
    )


def _spoken(body: Body) -> Body:
    """Return the line itself, or the one that it shows of a subagent: for some there is no other trace."""
    return _object(_object(body, "data"), "message") if body.get("type") == "progress" else body


def _agent(body: Body) -> str | None:
    named = _text(body, "agentId") or _text(_object(body, "data"), "agentId")
    return named or ("unnamed" if body.get("isSidechain") is True else None)


def _object(mapping: Body, name: str) -> Body:
    value = mapping.get(name)
    return value if isinstance(value, dict) else {}


def _text(mapping: Body, name: str) -> str | None:
    value = mapping.get(name)
    return value if isinstance(value, str) and value else None
