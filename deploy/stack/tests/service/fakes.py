"""Stand-ins for systemctl, loginctl and launchctl: they note how they were called and remember what they were told."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HEAD = f"""#!{sys.executable} -S
import json, os, pathlib, sys
place = pathlib.Path(__file__).parent.parent
state = json.loads((place / "state.json").read_text())
words = sys.argv[1:]
program = pathlib.Path(sys.argv[0]).name
noted = {{"call": [program, *words]}}
def save():
    (place / "state.json").write_text(json.dumps(state))
def note():
    with (place / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(noted) + "\\n")
def record():
    file = pathlib.Path(os.environ["SHIM_HOME"]) / "run.json"
    return json.loads(file.read_text())["runner"] if file.exists() else None
"""

SYSTEMCTL = """
if words[1:2] == ["show-environment"] and not state["reachable"]:
    sys.exit("Failed to connect to bus: No medium found")
match words[1]:
    case "show":
        active = "active" if state["active"] else "inactive"
        print("UnitFileState=" + ("enabled" if state["enabled"] else "disabled"))
        print(f"ActiveState={active}\\nSubState=running\\nMainPID={state['pid']}\\nStatusText=up")
    case "enable":
        state["enabled"] = True
    case "restart":
        noted["runner"] = record()
        state["active"] = state["comes_up"]
    case "disable":
        state["enabled"] = state["active"] = False
save()
note()
if words[1] == "restart" and not state["comes_up"]:
    sys.exit("Job for shim.service failed because the control process exited with error code.")
"""

LOGINCTL = """
note()
print("Linger=" + ("yes" if state["linger"] else "no"))
"""

LAUNCHCTL = """
note()
target = words[1]
match words[0]:
    case "print":
        if "/shim.stack" in target:
            if not state["active"]:
                sys.exit("Could not find service")
            print(f"shim.stack = {{\\n\\tstate = running\\n\\tpid = {state['pid'] or 4}\\n}}")
        elif not state["reachable"]:
            sys.exit("Could not find domain for user gui")
    case "print-disabled":
        print('\\t"shim.stack" => ' + ("disabled" if state["disabled"] else "enabled"))
    case "enable":
        state["disabled"] = False
    case "bootstrap":
        if state["active"]:
            sys.exit("Bootstrap failed: 5: Input/output error")
        state["active"] = True
    case "bootout":
        state["active"] = False
save()
"""


@dataclass(frozen=True)
class FakeManager:
    """Programs in a folder of their own, and what they know and noted."""

    place: Path

    @classmethod
    def make(cls, place: Path, **programs: str) -> "FakeManager":
        (place / "bin").mkdir(parents=True)
        for name, body in programs.items():
            file = place / "bin" / name
            file.write_text(_HEAD + body)
            file.chmod(0o755)
        fake = cls(place)
        fake.know(
            reachable=True, active=False, enabled=False, disabled=False, comes_up=True, linger=False, pid=0
        )  # fmt: skip
        return fake

    @property
    def path(self) -> str:
        return str(self.place / "bin")

    def know(self, **facts: object) -> None:
        file = self.place / "state.json"
        known = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(known | facts))

    @property
    def noted(self) -> list[dict[str, Any]]:
        file = self.place / "calls.jsonl"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def forget(self) -> None:
        (self.place / "calls.jsonl").unlink(missing_ok=True)

    @property
    def changes(self) -> list[str]:
        """The calls that change something."""
        calls = [" ".join(one["call"]) for one in self.noted]
        return [call for call in calls if not any(word in call.split() for word in _LOOKS)]


_LOOKS = {"show", "show-environment", "show-user", "print", "print-disabled"}


def files_below(folder: Path) -> set[str]:
    """The names of all files below `folder`."""
    return {os.path.relpath(path, folder) for path in folder.rglob("*") if path.is_file()}
