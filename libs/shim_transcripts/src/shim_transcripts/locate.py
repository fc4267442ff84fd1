"""Where clients keep their transcripts: path rules, and listings by them. Opens no file.

`config_dir` is `$CLAUDE_CONFIG_DIR`, or `~/.claude`. Below it:

    projects/<folder of the working directory>/<session id>.jsonl
    projects/<folder of the working directory>/<session id>/subagents/agent-<id>.jsonl

For Codex it is `$CODEX_HOME`, or `~/.codex`; the day and the time are those of the thread's start, in local time:

    sessions/<YYYY>/<MM>/<DD>/rollout-<YYYY-MM-DDThh-mm-ss>-<thread id>.jsonl
"""

import re
from pathlib import Path

MAX_FOLDER_NAME = 200
"""Characters of a folder name before it is cut and a hash is put behind it."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ROLLOUT = re.compile(rf"rollout-\d{{4}}-\d\d-\d\dT\d\d-\d\d-\d\d-({_UUID.pattern})\.jsonl")
_ROLLOUTS = "sessions/*/*/*/rollout-*"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def project_folder_name(cwd: str) -> str:
    """Return the folder name that the client makes of a working directory.

    Everything but ASCII letters and digits becomes a dash; a character beyond the basic plane is two UTF-16
    units and becomes two. Checked against clients 2.1.197 and 2.1.329, with long and with non-ASCII paths.
    """
    units = _utf16_units(cwd)
    name = "".join(chr(unit) if unit < 128 and chr(unit).isalnum() else "-" for unit in units)
    if len(name) <= MAX_FOLDER_NAME:
        return name
    return f"{name[:MAX_FOLDER_NAME]}-{_hash(units)}"


def project_folder(config_dir: Path, cwd: str) -> Path:
    """Return the folder of a working directory's sessions, whether it exists or not."""
    return config_dir / "projects" / project_folder_name(cwd)


def session_files(config_dir: Path) -> list[Path]:
    """List the transcripts of all sessions of all projects, sorted by path. Empty where there are none."""
    found = (config_dir / "projects").glob("*/*.jsonl")
    return sorted(path for path in found if _UUID.fullmatch(path.stem))


def find_session_file(config_dir: Path, session_id: str) -> Path | None:
    """Find a session's transcript by its id, whichever client wrote it; None where there is none."""
    if not _UUID.fullmatch(session_id):
        return None
    own = sorted((config_dir / "projects").glob(f"*/{session_id}.jsonl"))
    return next(iter(own or sorted(config_dir.glob(f"{_ROLLOUTS}-{session_id}.jsonl"))), None)


def rollout_files(config_dir: Path) -> list[Path]:
    """List the transcripts of all of Codex's threads, sorted by path. Empty where there are none."""
    return sorted(path for path in config_dir.glob(f"{_ROLLOUTS}-*.jsonl") if thread_id_of(path))


def thread_id_of(path: Path) -> str | None:
    """Return the thread that a Codex transcript belongs to; None for other paths."""
    found = _ROLLOUT.fullmatch(path.name)
    return found[1] if found else None


def subagent_files(session_file: Path) -> list[Path]:
    """List the transcripts of a session's subagents, sorted by path. Empty where there are none."""
    return sorted((session_file.with_suffix("") / "subagents").rglob("agent-*.jsonl"))


def session_id_of(path: Path) -> str | None:
    """Return the session that a transcript belongs to, its own or a subagent's; None for other paths."""
    if path.suffix != ".jsonl":
        return None
    candidates = (path.stem, *(parent.parent.name for parent in path.parents if parent.name == "subagents"))
    return next((name for name in candidates if _UUID.fullmatch(name)), None)


def _utf16_units(text: str) -> list[int]:
    encoded = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(encoded[i : i + 2], "little") for i in range(0, len(encoded), 2)]


def _hash(units: list[int]) -> str:
    """31-polynomial over UTF-16 units in signed 32 bits; its absolute value to base 36."""
    value = 0
    for unit in units:
        value = (value * 31 + unit) & 0xFFFFFFFF
    return _base36(value if value < 2**31 else 2**32 - value)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
