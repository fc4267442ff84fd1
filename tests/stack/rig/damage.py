"""A transcript with one line torn or removed, and what of it everyone can still read."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shim_cli.api import Api
from shim_cli.errors import ApiProblem
from shim_common.contracts.base import JsonObject


@dataclass(frozen=True)
class Variant:
    """A damaged transcript; `messages` are the bodies that nothing excuses from being kept, in order."""

    name: str
    content: bytes
    messages: Sequence[JsonObject]


def variants(content: bytes, every: int = 1) -> Iterator[Variant]:
    """Damage each `every`-th line in turn: removed, torn in half, torn and glued to the next one."""
    lines = content.splitlines(keepends=True)
    for index in range(0, len(lines), every):
        before, line, after = lines[:index], lines[index], lines[index + 1 :]
        half = line[: len(line) // 2]
        kept = [message for one in (*before, *after) for message in _messages(one)]
        damages = {"removed": b"", "torn": half + b"\n"}
        if after and b'"sessionId"' in after[0]:  # else nothing tells the next line from an object in this one
            damages["glued"] = half
        for name, damaged in damages.items():
            yield Variant(f"line {index + 1} {name}", b"".join((*before, damaged, *after)), kept)


def stored_messages(api: Api, session: str) -> list[JsonObject]:
    """The bodies of the messages that are stored of a session; none as long as it is not known."""
    try:
        return [entry.body for entry in api.entries(session) if entry.kind == "message"]
    except ApiProblem as problem:
        assert problem.problem.status == 404, problem.problem
        return []


def _messages(line: bytes) -> Iterator[JsonObject]:
    record = json.loads(line)
    if record.get("type") in ("user", "assistant"):
        yield {name: value for name, value in record.items() if name != "toolUseResult"}
