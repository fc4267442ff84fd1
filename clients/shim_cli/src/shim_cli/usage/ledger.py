"""Every request counted once, whatever number of lines and files tell of it."""

from collections.abc import Hashable
from dataclasses import dataclass, field, replace

from shim_cli.usage.calls import Call


@dataclass(slots=True)
class Ledger:
    """The requests that were found, the first line of each deciding when and by whom it was made.

    A reply stands in several lines, in the forks of its session and in resumed files: it is known by message id and
    request id. A subagent's file may repeat replies of the main conversation under request ids of its own. The lines
    of a reply are written while it is streamed, so the one with most output tokens is the final one.
    """

    repeats: int = 0
    _calls: dict[Hashable, Call] = field(default_factory=dict)
    _main: set[str] = field(default_factory=set)

    def add(self, call: Call) -> None:
        """Take in what one line tells. Lines of a main conversation must come before those of its subagents."""
        if call.agent is not None and call.message_id in self._main:
            self.repeats += 1
            return
        if call.agent is None and call.message_id is not None:
            self._main.add(call.message_id)
        identity = _identity(call)
        first = self._calls.setdefault(identity, call)
        if first is call:
            return
        self.repeats += 1
        if call.usage.output > first.usage.output:
            self._calls[identity] = replace(first, usage=call.usage)

    def calls(self) -> list[Call]:
        """Return the requests, in the order they were found."""
        return list(self._calls.values())


def _identity(call: Call) -> Hashable:
    """Name the reply; a line that names none, and not even itself, is nobody's copy."""
    if call.message_id is not None:
        return call.message_id, call.request_id
    return call.line_id or object()
