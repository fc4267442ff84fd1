"""A client process and what can be seen of it."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from shim_common.contracts.sessions import Heartbeat, ProcessRef, ToolProcess
from shim_transcripts import find_session_file


@dataclass(slots=True)
class Client:
    """A client process and the session that it works on, as was said at `said_at`; /clear gives it another one."""

    process: psutil.Process
    ref: ProcessRef
    session: str
    said_at: datetime

    def heartbeat(self, config_dir: Path, tools: list[ToolProcess]) -> Heartbeat:
        """Return what there is to say about the client now; what is not to be had is left out."""
        return Heartbeat(
            process=self.ref,
            transcript_bytes=self._transcript_bytes(config_dir),
            rss_bytes=self._rss_bytes(),
            tool_processes=tools,
        )

    def _transcript_bytes(self, config_dir: Path) -> int | None:
        path = find_session_file(config_dir, self.session)
        try:
            return path.stat().st_size if path else None
        except OSError:
            return None

    def _rss_bytes(self) -> int | None:
        try:
            return self.process.memory_info().rss
        except psutil.Error:
            return None
