"""Where the client is killed, and how a run of the tests deals its kills over boundaries and versions."""

import math
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from harness.client import Run
from harness.install import NEWEST, OLD
from harness.journal import Journal
from harness.scene import Scene
from harness.script import Fault, Point, Trouble, bash, calls, says
from turn import ALONE, PRINTED, PROMPT, WORDS, turn

VERSIONS = (NEWEST, OLD)
LATEST = 0.25
"""Seconds by which a kill may come after its boundary: the client's transcript lags by half of that."""

LAST_HOOKS = {"in a tool": "PreToolUse", "in an answer": "PostToolUse"}
"""The hook that SHIM acknowledged last before a death that is not at a hook."""


@dataclass(frozen=True)
class Kill:
    """One death: at which boundary, how many seconds late, of which version."""

    boundary: str
    version: str
    late: float = 0.0

    @property
    def last_hook(self) -> str:
        """The hook that SHIM acknowledged last, unless the kill comes late."""
        return LAST_HOOKS.get(self.boundary, self.boundary)

    async def of(self, scene: Scene, journal: Journal) -> Run:
        """Start a client, let it work up to the boundary and kill it there; return what is left of it."""
        return await BOUNDARIES[self.boundary](scene, journal, self)


async def _at_hook(scene: Scene, journal: Journal, kill: Kill) -> Run:
    """Kill as soon as SHIM has acknowledged the hook: no later one was told."""
    scene.api.play(turn())
    run = await scene.client.start(PROMPT, ALONE)
    journal.strike(run.session_id, kill.boundary, run.strike, kill.late)
    await run.wait()
    return run


async def _at_compaction(scene: Scene, journal: Journal, kill: Kill) -> Run:
    """Kill before a conversation is summarised."""
    scene.api.play(turn())
    run = await scene.client.converse(ALONE)
    await run.say(PROMPT)
    await run.events.first(lambda event: event.get("type") == "result")
    journal.strike(run.session_id, kill.boundary, run.strike, kill.late)
    await run.say("/compact")
    await run.wait()
    return run


async def _in_a_tool(scene: Scene, _: Journal, __: Kill) -> Run:
    """Kill while a tool runs, which survives."""
    os.mkfifo(scene.home.project / "gate")
    scene.api.play([calls(bash(f"echo {PRINTED}")), calls(bash("cat gate"))])
    run = await scene.client.start(PROMPT, ALONE)
    await run.until_running("cat")
    await run.kill()
    return run


async def _in_an_answer(scene: Scene, _: Journal, __: Kill) -> Run:
    """Kill in the middle of a stream."""
    answer = says(WORDS, fault=Fault(Trouble.STALL, Point.MIDDLE))
    scene.api.play([calls(bash(f"echo {PRINTED}")), answer])
    run = await scene.client.start(PROMPT, ALONE)
    await scene.api.streamed(2, 3)
    await run.kill()
    return run


BOUNDARIES: Mapping[str, Callable[[Scene, Journal, Kill], Awaitable[Run]]] = {
    "SessionStart": _at_hook,
    "UserPromptSubmit": _at_hook,
    "PreToolUse": _at_hook,
    "PostToolUse": _at_hook,
    "PostToolUseFailure": _at_hook,
    "Stop": _at_hook,
    "PreCompact": _at_compaction,
    "in a tool": _in_a_tool,
    "in an answer": _in_an_answer,
}


def deal(number: int, seed: int) -> list[Kill]:
    """Return so many kills, evenly over boundaries and versions in an order of their own.

    The first two rounds of all boundaries, one with either version each, strike on the spot, later ones up to `LATEST`
    seconds late.
    """
    chance = random.Random(seed)
    kills: list[Kill] = []
    for round_ in range(math.ceil(number / len(BOUNDARIES))):
        for place, boundary in chance.sample(list(enumerate(BOUNDARIES)), len(BOUNDARIES)):
            version = VERSIONS[(place + round_) % len(VERSIONS)]
            late = chance.uniform(0, LATEST) if round_ >= len(VERSIONS) else 0.0
            kills.append(Kill(boundary, version, late))
    return kills[:number]
