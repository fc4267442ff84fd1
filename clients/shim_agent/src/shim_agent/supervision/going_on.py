"""Which command goes on with a session, by what its client lived to write.

Measured with 2.1.197 and 2.1.329: a transcript without one whole message cannot be resumed ("No conversation found"),
and while the file is there its session cannot be begun again either ("already in use"). A client that is killed within
its first tenths of a second leaves no file, an empty one, or one with nothing but notes to itself.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from shim_agent.supervision import claude
from shim_agent.supervision.store import supervision_folder
from shim_transcripts import find_session_file


def command_for(command: Sequence[str], session: str, config_dir: Path, home: Path, now: datetime) -> list[str]:
    """Return the command that goes on with a session; `command` is what it was started or resumed with.

    Where there is nothing to resume the session is begun again under its own id, and what SHIM was told of it reaches
    the model all the same. A transcript in the way of that is moved into the data folder.

    Raises:
        OSError: it cannot be moved.
    """
    transcript = find_session_file(config_dir, session)
    if transcript is None:
        return claude.begin_again(command, session)
    if has_conversation(transcript):
        return claude.resume(command, session)
    aside = supervision_folder(home) / "transcripts" / f"{now:%Y%m%dT%H%M%S.%f}-{transcript.name}"
    aside.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside.write_bytes(transcript.read_bytes())
    transcript.unlink()
    return claude.begin_again(command, session)


def has_conversation(transcript: Path) -> bool:
    """Tell whether a transcript holds one whole message; of one that cannot be read it is believed."""
    try:
        with transcript.open("rb") as lines:
            return any(map(_is_message, lines))
    except OSError:
        return True


def _is_message(line: bytes) -> bool:
    try:
        entry = json.loads(line)
    except ValueError:
        return False
    return isinstance(entry, dict) and entry.get("type") in ("user", "assistant") and "message" in entry
