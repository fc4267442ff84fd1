"""When a checkpoint is due, and which tool calls are risky."""

import re
from collections.abc import Sequence

from shim_common.contracts.base import JsonObject

_MOST_SCANNED = 20_000
"""Characters of a command that are looked at: a here-document may hold a whole file."""
_WORDS = r"(?:[^;|&]{0,200}\s)?"
"""Further words of the same command; bounded, so that the search stays linear."""

RISKY_COMMANDS = (
    rf"\brm\s{_WORDS}-(?:\w*[rf]|-recursive\b|-force\b)",
    rf"\bgit\s{_WORDS}(?:reset\s+--hard|clean\s{_WORDS}-(?:\w*f|-force)|restore\s|rebase\b|branch\s+-D"
    rf"|stash\s+(?:drop|clear)|checkout\s(?:\.(?:\s|$)|{_WORDS}(?:--\s|-f\b|--force\b))"
    rf"|push\s{_WORDS}(?:-f\b|--force))",
    rf"\bfind\s{_WORDS}-delete\b",
    r"\bsed\s+-i\b|\bperl\s+-\w*i\b",
    r"\b(?:drop|truncate)\s+(?:table|database|schema)\b",
    rf"\bdd\s{_WORDS}of=|\bmkfs|\bshred\b|\btruncate\s+-s",
    r"\b(?:chmod|chown)\s+-R\b",
    rf"\bmv\s{_WORDS}/|>\s*/(?!dev/null|tmp/)",
)
"""Commands that can destroy work; the default of the parameter `risky_commands`."""


class RiskyCalls:
    """Recognises tool calls before which a checkpoint is made."""

    def __init__(self, patterns: Sequence[str] = RISKY_COMMANDS) -> None:
        self._pattern = re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)

    def is_risky(self, tool: str, arguments: JsonObject) -> bool:
        """Whether this call can destroy work."""
        command = arguments.get("command")
        return tool == "Bash" and isinstance(command, str) and bool(self._pattern.search(command[:_MOST_SCANNED]))


def due(tool_calls: int, at_last_checkpoint: int, every: int) -> bool:
    """Whether enough tool calls have ended since the last checkpoint."""
    return tool_calls - at_last_checkpoint >= every
