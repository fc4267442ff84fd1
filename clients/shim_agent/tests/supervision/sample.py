"""A session as supervision knows it."""

from typing import Any

from shim_agent.supervision.tended import Tended
from shim_common.contracts.sessions import ProcessRef
from shim_common.contracts.supervision import NewWatch, Owner

S = "4f6c0d5e-8a2b-4c1d-9e3f-5a6b7c8d9e0f"
BOOT = "this boot"


def watch(pid: int = 4_000_000, created: float = 1.0, **more: Any) -> NewWatch:
    given: dict[str, Any] = {
        "client": "claude-code",
        "session": S,
        "project": "/home/ana/webshop",
        "managed_by": Owner.AGENT,
        **more,
    }
    return NewWatch(process=ProcessRef(pid=pid, created=created), **given)


def tended(new: NewWatch | None = None, **more: Any) -> Tended:
    given: dict[str, Any] = {"command": ["claude", "--resume", S], "boot": BOOT, **more}
    return Tended(watch=new or watch(), **given)
