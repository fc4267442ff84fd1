"""When a checkpoint is due, and which tool calls are risky."""

import re
from collections.abc import Sequence

from shim_common.contracts.base import JsonObject

RISKY_COMMANDS = (
    r"\brm\s+(?:-\w*[rf]\w*\s+)+",
    r"\bgit\s+(?:reset\s+--hard|clean\s+-\w*f|checkout\s+(?:--\s|\.)|restore\s|push\s+(?:.*\s)?(?:-f\b|--force)"
    r"|rebase\b|branch\s+-D|stash\s+(?:drop|clear))",
    r"\bfind\b.*\s-delete\b",
    r"\bsed\s+-i\b|\bperl\s+-\w*i\b",
    r"\b(?:drop|truncate)\s+(?:table|database|schema)\b",
    r"\bdd\s+.*\bof=|\bmkfs|\bshred\b|\btruncate\s+-s",
    r"\b(?:chmod|chown)\s+-R\b",
    r"\bmv\s+.*\s/|>\s*/(?!dev/null|tmp/)",
)
"""Commands that can destroy work; the default of the parameter `risky_commands`."""


class RiskyCalls:
    """Recognises tool calls before which a checkpoint is made."""

    def __init__(self, patterns: Sequence[str] = RISKY_COMMANDS) -> None:
        self._pattern = re.compile("|".join(f"(?:{pattern})" for pattern in patterns), re.IGNORECASE)

    def is_risky(self, tool: str, arguments: JsonObject) -> bool:
        """Whether this call can destroy work."""
        command = arguments.get("command")
        return tool == "Bash" and isinstance(command, str) and bool(self._pattern.search(command))


def due(tool_calls: int, at_last_checkpoint: int, every: int) -> bool:
    """Whether enough tool calls have ended since the last checkpoint."""
    return tool_calls - at_last_checkpoint >= every
