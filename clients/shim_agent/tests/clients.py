"""Real processes that stand in for a client and its tools. Only those started here are ever ended."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

_CLIENT = "sleep 300 & echo $!; wait"


@dataclass
class StandIn:
    """A client process with one tool process."""

    popen: subprocess.Popen[str]
    process: psutil.Process
    tool: psutil.Process

    @property
    def pid(self) -> int:
        return self.popen.pid

    def kill(self) -> None:
        """End the client as a crash would; its tool lives on."""
        self.popen.send_signal(signal.SIGKILL)

    def write_record(self, config_dir: Path, session: str, **more: object) -> Path:
        """Write what the newest client writes about itself."""
        folder = config_dir / "sessions"
        folder.mkdir(exist_ok=True)
        record = {
            "pid": self.pid,
            "sessionId": session,
            "cwd": "/p",
            "startedAt": int(self.process.create_time() * 1000) + 400,
            "procStart": start_tick(self.pid),
            "status": "busy",
        } | more
        path = folder / f"{self.pid}.json"
        path.write_text(json.dumps(record))
        return path


@dataclass
class StandIns:
    """Starts clients and ends whatever is left of them."""

    started: list[StandIn] = field(default_factory=list)

    def start(self, environment: Mapping[str, str] | None = None) -> StandIn:
        popen = subprocess.Popen(
            ["sh", "-c", _CLIENT],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | dict(environment or {}),
        )
        assert popen.stdout is not None
        tool = psutil.Process(int(popen.stdout.readline()))
        one = StandIn(popen, psutil.Process(popen.pid), tool)
        self.started.append(one)
        return one

    def end(self) -> None:
        for one in self.started:
            for process in (one.process, one.tool):
                if process.is_running():
                    process.kill()
            one.popen.communicate()


def start_tick(pid: int) -> str:
    """Field 22 of /proc/<pid>/stat, as the client writes it."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
