"""What which version of Claude Code knows about hooks.

Before 2.1.101 an event or hook type that a version does not know makes it skip the whole settings file, so nothing is
written that the installed one does not know. Sources: the event lists in the published packages of 2.1.0, 2.1.62,
2.1.197 and 2.1.329, and the client's changelog in between.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping

from shim_cli.errors import Refused

Version = tuple[int, int, int]

OLDEST: Version = (2, 1, 0)
"""The oldest version that is connected, and the one assumed where none is found."""

HTTP_HOOKS_SINCE: Version = (2, 1, 63)

EVENTS: Mapping[str, Version] = {
    "SessionStart": OLDEST,
    "UserPromptSubmit": OLDEST,
    "PreToolUse": OLDEST,
    "PostToolUse": OLDEST,
    "PostToolUseFailure": OLDEST,
    "Notification": OLDEST,
    "SubagentStop": OLDEST,
    "PreCompact": OLDEST,
    "PostCompact": (2, 1, 76),
    "Stop": OLDEST,
    "StopFailure": (2, 1, 78),
    "SessionEnd": OLDEST,
}
"""The events that SHIM listens to, and since when they exist.

PermissionRequest is left out for good: its hook decides, and one that cannot be reached denies.
"""

COMMAND_ONLY = frozenset({"SessionStart"})
"""Events for which the client never calls HTTP hooks, without saying so (seen in 2.1.197 and 2.1.329)."""

CODEX_EXECUTABLE = "codex"
CODEX_OLDEST: Version = (0, 0, 0)
"""Any version of Codex may be connected: what an older one does not know, it is not given."""

VERSION_SECONDS = 10.0


def known_events(version: Version) -> tuple[str, ...]:
    """Return the events that this version of the client knows."""
    return tuple(event for event, since in EVENTS.items() if version >= since)


def parse_version(text: str, name: str = "Claude Code", oldest: Version = OLDEST) -> Version:
    """Return the version in a text such as `2.1.329 (Claude Code)`; `name` is the client's.

    Raises:
        Refused: there is none, or it is too old to be connected.
    """
    found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
    if found is None:
        raise Refused(f"{text.strip()!r} names no version; give one as --client-version 2.1.329")
    version = (int(found[1]), int(found[2]), int(found[3]))
    if version < oldest:
        raise Refused(f"{name} {found[0]} is too old for SHIM, which knows {shown(oldest)} and newer; update it")
    return version


def installed_version(
    executable: str = "claude", name: str = "Claude Code", oldest: Version = OLDEST
) -> Version | None:
    """Return the version of the client on the search path; None where there is none that says it.

    Raises:
        Refused: it is too old to be connected.
    """
    found = shutil.which(executable)
    if found is None:
        return None
    try:
        answer = subprocess.run(
            [found, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stdout, name, oldest)


def shown(version: Version) -> str:
    """Return the version as people write it."""
    return ".".join(map(str, version))


def installed_codex() -> Version | None:
    """Return the version of Codex on the search path; None where there is none that says it."""
    return installed_version(CODEX_EXECUTABLE, "Codex", CODEX_OLDEST)


def parse_codex(text: str) -> Version:
    """Return the version in a text such as `codex-cli 0.169.0`.

    Raises:
        Refused: there is none.
    """
    return parse_version(text, "Codex", CODEX_OLDEST)
