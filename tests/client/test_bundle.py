"""Who is given what at a start: the whole bundle after a resumption or a compaction, a line in a new session."""

import os
from typing import Any

import pytest
from harness.client import Run
from harness.eventually import until_quiet
from harness.scene import Scene, Staging
from harness.script import bash, calls, says
from harness.terminal import Terminal
from harness.transcript import texts
from kills import ALONE, PRINTED, PROMPT, WORDS

from shim_common.contracts.sessions import SessionState

pytestmark = pytest.mark.client

Json = dict[str, Any]
HEAD = "SHIM kept this session"


async def interrupted(s: Scene) -> Run:
    """Leave a session in the project that was killed while a tool ran; the tool has ended since."""
    os.mkfifo(s.home.project / "gate")
    s.api.play([calls(bash("cat gate"))])
    run = await s.client.start(PROMPT, ALONE)
    await run.until_running("cat")
    await run.end()
    await until_quiet(lambda: not_yet(s, run, SessionState.INTERRUPTED))
    return run


async def not_yet(s: Scene, run: Run, state: SessionState) -> list[str]:
    """Say so as long as SHIM has the session in another state."""
    found = (await s.session(run.session_id)).state
    return [] if found is state else [f"the session is {found}, not {state}"]
