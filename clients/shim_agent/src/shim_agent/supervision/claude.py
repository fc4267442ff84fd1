"""Claude Code's command line, as far as going on with a session needs it.

Which options take a value is from `claude --help` of 2.1.197 and 2.1.329. A prompt is never repeated: what cannot be
told from a prompt with certainty is left out.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shim_agent.connections import CLAUDE_CODE

CLIENT = CLAUDE_CODE
PROGRAM = "claude"
CONFIG_VARIABLE = "CLAUDE_CONFIG_DIR"

_SESSION = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_INTERPRETERS = re.compile(r"(?:node|nodejs|bun)\b")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_ONE_VALUE = _names(
    "--agent --agents --append-system-prompt --append-system-prompt-file --autocompact --debug-file --effort"
    " --environment --fallback-model --input-format --json-schema --max-budget-usd --max-turns --model -n --name"
    " --output-format --permission-mode --permission-prompt-tool --permission-prompts --plugin-dir --plugin-url"
    " --remote-control-session-name-prefix --session-id --setting-sources --settings --system-prompt"
    " --system-prompt-file --system-prompt-snapshot"
)
_MAYBE_A_VALUE = _names(
    "--cloud -d --debug --from-pr --prompt-suggestions --remote-control -r --resume --teleport -w --worktree"
)
_MANY_VALUES = _names(
    "--add-dir --allowedTools --allowed-tools --betas --disallowedTools --disallowed-tools --file --mcp-config --tools"
)
_NO_VALUE = _names(
    "--allow-dangerously-skip-permissions --ax-screen-reader --bare --bg --background --brief --chrome -c --continue"
    " --dangerously-skip-permissions --desktop --disable-slash-commands --exclude-dynamic-system-prompt-sections"
    " --fork-session --forward-subagent-text -h --help --ide --include-hook-events --include-partial-messages"
    " --no-chrome --no-session-persistence -p --print --replay-user-messages --restricted --safe-mode"
    " --strict-mcp-config --tmux --verbose -v --version"
)
_KNOWN = _ONE_VALUE | _MAYBE_A_VALUE | _MANY_VALUES | _NO_VALUE

_ABOUT_WHICH_SESSION = _names(
    "-c --continue -r --resume --session-id --fork-session --from-pr --teleport -w --worktree --tmux"
)
"""What chose or made the session at its start; now it is chosen by its id."""

_ELSEWHERE = _names("--bg --background --cloud --desktop --environment --no-session-persistence -h --help -v --version")
"""With these there is no session in this terminal, or none that could be resumed."""

_SUBCOMMANDS = _names(
    "agents attach auth auto-mode doctor gateway import install kill logs mcp plugin plugins project purge respawn rm"
    " setup-token stop ultrareview update upgrade"
)


@dataclass
class _Arguments:
    """A command line taken apart: each option's name with all its parts as given, and the words that are none."""

    options: list[tuple[str, list[str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def has(self, names: frozenset[str]) -> bool:
        return any(name in names for name, _ in self.options)


def default_config_dir() -> Path:
    """Return where the client keeps its files where nothing else is said."""
    return Path.home() / ".claude"


def is_session_id(text: str) -> bool:
    """Tell whether the text is a session's id, which could not be taken for an option or a path."""
    return _SESSION.fullmatch(text) is not None


def is_client(command: Sequence[str]) -> bool:
    """Tell whether a command starts the client with a session that can be resumed."""
    if not command or Path(command[0]).name != PROGRAM:
        return False
    given = _taken_apart(command[1:])
    return not given.has(_ELSEWHERE) and (not given.words or given.words[0] not in _SUBCOMMANDS)


def is_print(command: Sequence[str]) -> bool:
    """Tell whether a command answers one prompt and ends (`-p`), with nobody in front of it."""
    return _taken_apart(command[1:]).has(frozenset({"-p", "--print"}))


def resume(command: Sequence[str], session: str) -> list[str]:
    """Return the command that goes on with a session, with the options that it was started with."""
    return _again(command, ["--resume", session])


def begin_again(command: Sequence[str], session: str) -> list[str]:
    """Return the command for a session whose client died before it wrote a transcript: nothing could be resumed."""
    return _again(command, ["--session-id", session])


def program_of(executable: str) -> str:
    """Return what starts the client that runs as this executable."""
    path = Path(executable)
    is_own = path.is_absolute() and path.is_file() and not _INTERPRETERS.match(path.name)
    return executable if is_own else PROGRAM


def _again(command: Sequence[str], which: list[str]) -> list[str]:
    given = _taken_apart(command[1:])
    kept = [part for name, parts in given.options if name not in _ABOUT_WHICH_SESSION for part in parts]
    # Only a run without a person is given its prompt again: there is nobody else who could go on with it.
    prompt = ["--", *given.words] if given.words and is_print(command) else []
    return [command[0], *kept, *which, *prompt]


def _taken_apart(arguments: Sequence[str]) -> _Arguments:
    found = _Arguments()
    rest = list(arguments)
    while rest:
        part = rest.pop(0)
        if part == "--":
            found.words.extend(rest)
            break
        if not part.startswith("-") or part == "-":
            found.words.append(part)
            continue
        name, equals, _ = part.partition("=") if part.startswith("--") else (part, "", "")
        values = [] if equals else _values(name, rest)
        if name in _KNOWN or not values:
            found.options.append((name, [part, *values]))
    return found


def _values(name: str, rest: list[str]) -> list[str]:
    """Take the values of an option off the rest. Of an unknown one, the word behind it may be its value."""
    if name in _NO_VALUE:
        return []
    if name in _ONE_VALUE:
        return [rest.pop(0)] if rest else []
    most = len(rest) if name in _MANY_VALUES else 1
    taken: list[str] = []
    while rest and len(taken) < most and not rest[0].startswith("-"):
        taken.append(rest.pop(0))
    return taken
